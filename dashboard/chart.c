/*-------------------------------------------------------------------------
 * dashboard/chart.c
 *    rows of a statement as an SVG chart
 *-------------------------------------------------------------------------
 */
#include "dashboard/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dashboard/escape.h"
#include "dashboard/format.h"
#include "dashboard/words.h"

/* units of the picture; it is scaled to its box */
enum
{
	WIDTH = 600,
	HEIGHT = 290,
	LEFT = 68,
	RIGHT = 8,
	TOP = 34,
	BOTTOM = 50,
	PLOT_WIDTH = WIDTH - LEFT - RIGHT,
	PLOT_HEIGHT = HEIGHT - TOP - BOTTOM,
	LABEL_CHARACTERS = 8,		/* of a label on the x axis; the rest is cut */
	CHARACTER_WIDTH = 7,
	SAMPLE_WIDTH = 12			/* of a colour in the legend */
};

double
us_chart_step(double max)
{
	double		power;

	if (!(max > 0))
		return 1;
	power = pow(10, floor(log10(max / 6)));
	if (max / power <= 6)
		return power;
	if (max / (2 * power) <= 6)
		return 2 * power;
	if (max / (5 * power) <= 6)
		return 5 * power;
	return 10 * power;
}

static double
value_of(const PGresult *rows, int row, const char *column)
{
	int			number = PQfnumber(rows, column);

	if (number < 0 || PQgetisnull(rows, row, number))
		return NAN;
	return strtod(PQgetvalue(rows, row, number), NULL);
}

static double
y_at(double value, double max)
{
	return TOP + PLOT_HEIGHT * (1 - value / max);
}

/* 'kind', the column along x and those along y are for static/plots.js */
static void
begin_chart(UsBuf *body, const UsChart *chart, const PGresult *rows, const char *kind)
{
	us_buf_printf(body, "<figure class=\"chart\" id=\"%s-chart\" tabindex=\"0\" aria-label=\"%s\" "
				  "data-panel=\"%s\" data-kind=\"%s\" data-x=\"%s\" data-y=\"",
				  chart->id, us_text(chart->title), chart->id, kind, chart->x_column);
	for (int s = 0; chart->series[s].column; s++)
		us_buf_printf(body, "%s%s=%s", s ? ";" : "", chart->series[s].column,
					  us_text(chart->series[s].label));
	us_buf_printf(body, "\" data-x-title=\"%s\" data-y-title=\"%s\">"
				  "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-t %s-d\">",
				  us_text(chart->x_title), us_text(chart->y_title), WIDTH, HEIGHT,
				  chart->id, chart->id);
	us_buf_printf(body, "<title id=\"%s-t\">%s</title><desc id=\"%s-d\">", chart->id,
				  us_text(chart->title), chart->id);
	us_buf_printf(body, us_text("%s by %s, %d points; the numbers are in the table below."),
				  us_text(chart->y_title), us_text(chart->x_title), PQntuples(rows));
	us_buf_puts(body, "</desc>\n");
}

static void
end_chart(UsBuf *body, const UsChart *chart)
{
	us_buf_printf(body, "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
				  LEFT + PLOT_WIDTH / 2, HEIGHT - 8, us_text(chart->x_title));
	us_buf_printf(body, "<text class=\"axis\" x=\"14\" y=\"%d\" text-anchor=\"middle\" "
				  "transform=\"rotate(-90 14 %d)\">%s</text></svg></figure>\n",
				  TOP + PLOT_HEIGHT / 2, TOP + PLOT_HEIGHT / 2, us_text(chart->y_title));
}

static void
write_y_axis(UsBuf *body, double step, double max)
{
	for (double tick = 0; tick <= max * 1.0001; tick += step)
	{
		us_buf_printf(body, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
					  "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LEFT, WIDTH - RIGHT,
					  y_at(tick, max), y_at(tick, max), LEFT - 6, y_at(tick, max) + 4);
		us_format_number(body, tick, step < 1 ? (int) ceil(-log10(step)) : 0);
		us_buf_puts(body, "</text>\n");
	}
}

/* a square for bars, a piece of the line for lines */
static void
write_legend(UsBuf *body, const UsChart *chart, bool lines)
{
	int			x = 4;

	if (chart->series[1].column == NULL)
		return;
	for (int s = 0; chart->series[s].column; s++)
	{
		const char *label = us_text(chart->series[s].label);
		int			sample = lines ? 2 * SAMPLE_WIDTH : SAMPLE_WIDTH;

		if (lines)
			us_buf_printf(body, "<path class=\"line s%d\" d=\"M%d 16h%d\"/>", s, x, sample);
		else
			us_buf_printf(body, "<rect class=\"s%d\" x=\"%d\" y=\"10\" width=\"%d\" height=\"%d\"/>",
						  s, x, SAMPLE_WIDTH, SAMPLE_WIDTH);
		us_buf_printf(body, "<text x=\"%d\" y=\"20\">%s</text>", x + sample + 5, label);
		x += sample + 20 + CHARACTER_WIDTH * (int) strlen(label);
	}
	us_buf_puts(body, "\n");
}

static int
row_of(const PGresult *rows, int place, bool reversed)
{
	return reversed ? PQntuples(rows) - 1 - place : place;
}

/* a row at a place counted from the left */
static void
write_bar(UsBuf *body, const UsChart *chart, const PGresult *rows, int row, int place, double max)
{
	double		slot = (double) PLOT_WIDTH / PQntuples(rows);
	double		below = 0;
	int			label = PQfnumber(rows, chart->x_column);

	for (int s = 0; chart->series[s].column; s++)
	{
		double		value = value_of(rows, row, chart->series[s].column);

		if (!(value > 0))
			continue;
		us_buf_printf(body, "<rect class=\"s%d\" x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\"><title>",
					  s, LEFT + slot * (place + 0.1), y_at(below + value, max), slot * 0.8,
					  y_at(below, max) - y_at(below + value, max));
		us_svg_text(body, us_word(PQgetvalue(rows, row, label)));
		us_buf_printf(body, ", %s: ", us_text(chart->series[s].label));
		us_format_number(body, value, value == floor(value) ? 0 : 2);
		us_buf_puts(body, "</title></rect>\n");
		below += value;
	}
}

/* bytes of the first characters of a label, and how many these are */
static size_t
label_length(const char *text, int *characters)
{
	size_t		len = 0;

	for (*characters = 0; *characters < LABEL_CHARACTERS && text[len]; (*characters)++)
	{
		int			n = us_utf8_length(text + len, strlen(text + len), NULL);

		len += n ? (size_t) n : 1;
	}
	return len;
}

/* every so many-th bar has a label: none of them may touch the next one's */
static int
label_distance(const PGresult *rows, int label, double slot)
{
	int			widest = 0;
	int			before = 0;

	for (int row = 0; row < PQntuples(rows); row++)
	{
		int			characters;

		label_length(us_word(PQgetvalue(rows, row, label)), &characters);
		/* half of this one and half of its neighbour */
		widest = characters + before > widest ? characters + before : widest;
		before = characters;
	}
	return (int) ceil((widest * CHARACTER_WIDTH / 2.0 + 4) / slot);
}

static void
write_bar_labels(UsBuf *body, const UsChart *chart, const PGresult *rows, bool reversed)
{
	double		slot = (double) PLOT_WIDTH / PQntuples(rows);
	int			label = PQfnumber(rows, chart->x_column);
	int			every = label_distance(rows, label, slot);

	for (int place = 0; place < PQntuples(rows); place += every)
	{
		const char *text = us_word(PQgetvalue(rows, row_of(rows, place, reversed), label));
		char		cut[4 * LABEL_CHARACTERS + 1];
		int			characters;
		size_t		len = label_length(text, &characters);

		memcpy(cut, text, len);
		cut[len] = '\0';
		us_buf_printf(body, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
					  LEFT + slot * (place + 0.5), TOP + PLOT_HEIGHT + 19);
		us_svg_text(body, cut);
		us_buf_puts(body, text[len] ? "…</text>\n" : "</text>\n");
	}
}

static void
draw_bars(UsBuf *body, const UsChart *chart, const PGresult *rows, bool reversed)
{
	double		max = 0;
	double		step;

	if (PQntuples(rows) == 0)
		return;
	for (int row = 0; row < PQntuples(rows); row++)
	{
		double		sum = 0;

		for (int s = 0; chart->series[s].column; s++)
			sum += fmax(value_of(rows, row, chart->series[s].column), 0);
		max = fmax(max, sum);
	}
	step = fmax(us_chart_step(max), 1);
	max = fmax(ceil(max / step), 1) * step;
	begin_chart(body, chart, rows, "bars");
	write_y_axis(body, step, max);
	write_legend(body, chart, false);
	for (int place = 0; place < PQntuples(rows); place++)
		write_bar(body, chart, rows, row_of(rows, place, reversed), place, max);
	write_bar_labels(body, chart, rows, reversed);
	end_chart(body, chart);
}

void
us_chart_bars(UsBuf *body, const UsChart *chart, const PGresult *rows)
{
	draw_bars(body, chart, rows, false);
}

void
us_chart_bars_reversed(UsBuf *body, const UsChart *chart, const PGresult *rows)
{
	draw_bars(body, chart, rows, true);
}

static double
x_at(double t, double first, double last)
{
	return LEFT + (last > first ? PLOT_WIDTH * (t - first) / (last - first) : PLOT_WIDTH / 2.0);
}

/* five times, as clock, day, month or year, by the span */
static void
write_time_axis(UsBuf *body, double first, double last)
{
	double		days = (last - first) / 86400;
	const char *format = days > 2000 ? "%Y" : days > 300 ? "%Y-%m" : days > 2 ? "%m-%d" : "%H:%M";

	for (int i = 0; i <= 4; i++)
	{
		time_t		t = (time_t) (first + (last - first) * i / 4);
		struct tm	tm;
		char		text[32];

		if (i > 0 && last <= first)
			return;
		gmtime_r(&t, &tm);
		strftime(text, sizeof(text), format, &tm);
		us_buf_printf(body, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>\n",
					  x_at((double) t, first, last), TOP + PLOT_HEIGHT + 19,
					  i == 4 ? "end" : i == 0 && last > first ? "start" : "middle", text);
	}
}

static void
write_line(UsBuf *body, const UsChart *chart, const PGresult *rows, int s, bool joined,
		   double first, double last, double max)
{
	bool		drawing = false;

	us_buf_printf(body, "<path class=\"%s s%d\" d=\"", joined ? "line" : "dots", s);
	for (int row = 0; row < PQntuples(rows); row++)
	{
		double		value = value_of(rows, row, chart->series[s].column);

		if (isnan(value))
		{
			drawing = false;
			continue;
		}
		us_buf_printf(body, "%c%.1f %.1f", drawing ? 'L' : 'M',
					  x_at(value_of(rows, row, chart->x_column), first, last), y_at(value, max));
		/* a single point has a dot by the line's round cap */
		us_buf_puts(body, drawing ? "" : "h0");
		drawing = joined;
	}
	us_buf_printf(body, "\"><title>%s</title></path>\n", us_text(chart->series[s].label));
}

static void
write_over_time(UsBuf *body, const UsChart *chart, const PGresult *rows, bool joined)
{
	int			n = PQntuples(rows);
	double		first;
	double		last;
	double		step;
	double		max = 0;

	if (n == 0)
		return;
	first = value_of(rows, 0, chart->x_column);
	last = value_of(rows, n - 1, chart->x_column);
	for (int row = 0; row < n; row++)
	{
		for (int s = 0; chart->series[s].column; s++)
			max = fmax(max, value_of(rows, row, chart->series[s].column));
	}
	step = us_chart_step(max);
	max = fmax(ceil(max / step), 1) * step;
	begin_chart(body, chart, rows, joined ? "lines" : "points");
	write_y_axis(body, step, max);
	write_legend(body, chart, true);
	write_time_axis(body, first, last);
	for (int s = 0; chart->series[s].column; s++)
		write_line(body, chart, rows, s, joined, first, last, max);
	end_chart(body, chart);
}

void
us_chart_lines(UsBuf *body, const UsChart *chart, const PGresult *rows)
{
	write_over_time(body, chart, rows, true);
}

void
us_chart_points(UsBuf *body, const UsChart *chart, const PGresult *rows)
{
	write_over_time(body, chart, rows, false);
}
