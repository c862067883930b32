/*-------------------------------------------------------------------------
 * dashboard/page_users.c
 *    the people who came: totals and charts
 *
 * What a user is, only the database knows that has the table: it says so by
 * views in a schema "dashboard", which the demo's SQL makes.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dashboard/chart.h"
#include "dashboard/escape.h"
#include "dashboard/format.h"
#include "dashboard/route.h"
#include "dashboard/words.h"

#define ABSENT "This page reads views of a schema dashboard (users_totals and so on), which this database does not have."

static const UsColumn total_columns[] = {
	{"total", "Users", US_KIND_COUNT, NULL, NULL, NULL},
	{"age_avg", "Average age", US_KIND_NUMBER, NULL, NULL, NULL},
	{"age_unknown", "without a date of birth", US_KIND_COUNT, NULL, NULL, NULL},
	{"nationalities", "Countries", US_KIND_COUNT, NULL, NULL, NULL},
	{"male", "Male", US_KIND_COUNT, NULL, NULL, NULL},
	{"female", "Female", US_KIND_COUNT, NULL, NULL, NULL},
	{"other", "Other or unknown", US_KIND_COUNT, NULL, NULL, NULL},
	{"refreshed_at", "Counted", US_KIND_TIME, NULL, NULL, NULL},
	{0}
};

static const UsPanel totals_panel = {
	"totals", "Totals",
	"SELECT total, age_avg, age_unknown, nationalities, male, female, other, refreshed_at"
	" FROM dashboard.users_totals LIMIT 1",
	total_columns, "Nothing was counted yet.", NULL, ABSENT, false, false, NULL
};

static const UsColumn gender_columns[] = {
	{"label", "Nationality", US_KIND_WORD, NULL, NULL, NULL},
	{"male", "Male", US_KIND_COUNT, NULL, NULL, NULL},
	{"female", "Female", US_KIND_COUNT, NULL, NULL, NULL},
	{"other", "Other or unknown", US_KIND_COUNT, NULL, NULL, NULL},
	{0}
};

#define BY_GENDER \
	" sum(n) FILTER (WHERE gender = 'male')::bigint AS male," \
	" sum(n) FILTER (WHERE gender = 'female')::bigint AS female," \
	" sum(n) FILTER (WHERE gender IS NULL OR gender NOT IN ('male', 'female'))::bigint AS other"

/* the fifteen with the most, the rest together behind them */
static const UsPanel nationality_panel = {
	"nationalities", "Users by nationality and gender",
	"WITH ranked AS (SELECT coalesce(nationality, 'unknown') AS nationality, gender, n,"
	" dense_rank() OVER (ORDER BY of_all DESC, nationality) AS place"
	" FROM (SELECT *, sum(n) OVER (PARTITION BY nationality) AS of_all FROM dashboard.users_by_nationality) u)"
	" SELECT CASE WHEN place <= 15 THEN nationality ELSE 'other' END AS label," BY_GENDER
	" FROM ranked GROUP BY label, least(place, 16) ORDER BY least(place, 16)",
	gender_columns, "", NULL, ABSENT, false, true, NULL
};

static const UsColumn age_columns[] = {
	{"label", "Age", US_KIND_WORD, NULL, NULL, NULL},
	{"male", "Male", US_KIND_COUNT, NULL, NULL, NULL},
	{"female", "Female", US_KIND_COUNT, NULL, NULL, NULL},
	{"other", "Other or unknown", US_KIND_COUNT, NULL, NULL, NULL},
	{0}
};

static const UsPanel age_panel = {
	"ages", "Users by age, in years",
	"SELECT coalesce(lo || '–' || hi, 'unknown') AS label," BY_GENDER
	" FROM dashboard.users_by_age GROUP BY lo, hi ORDER BY lo NULLS LAST LIMIT 200",
	age_columns, "", NULL, ABSENT, false, true, NULL
};

static const UsColumn registration_columns[] = {
	{"month", "Registered in", US_KIND_TEXT, NULL, NULL, NULL},
	{"n", "Users", US_KIND_COUNT, NULL, NULL, NULL},
	{"p10", "Youngest tenth below", US_KIND_NUMBER, NULL, NULL, NULL},
	{"p50", "Median age", US_KIND_NUMBER, NULL, NULL, NULL},
	{"p90", "Oldest tenth above", US_KIND_NUMBER, NULL, NULL, NULL},
	{"male", "Median, male", US_KIND_NUMBER, NULL, NULL, NULL},
	{"female", "Median, female", US_KIND_NUMBER, NULL, NULL, NULL},
	{0}
};

/* a row with no gender is of all */
static const UsPanel registration_panel = {
	"registrations", "Age against registration",
	"SELECT to_char(m.month, 'YYYY-MM') AS month, extract(epoch FROM m.month)::float8 AS t,"
	" max(n) FILTER (WHERE gender IS NULL) AS n, max(p10) FILTER (WHERE gender IS NULL) AS p10,"
	" max(p50) FILTER (WHERE gender IS NULL) AS p50, max(p90) FILTER (WHERE gender IS NULL) AS p90,"
	" max(p50) FILTER (WHERE gender = 'male') AS male, max(p50) FILTER (WHERE gender = 'female') AS female"
	" FROM dashboard.users_age_by_month m GROUP BY m.month ORDER BY m.month LIMIT 1001",
	registration_columns, "", NULL, ABSENT, false, true, "month ascending"
};

static const UsColumn sample_columns[] = {
	{"registered", "Registered", US_KIND_TEXT, NULL, NULL, NULL},
	{"male", "Age, male", US_KIND_NUMBER, NULL, NULL, NULL},
	{"female", "Age, female", US_KIND_NUMBER, NULL, NULL, NULL},
	{"other", "Age, other or unknown", US_KIND_NUMBER, NULL, NULL, NULL},
	{0}
};

static const UsPanel sample_panel = {
	"sample", "Some users: age and registration",
	"SELECT registered::text AS registered, extract(epoch FROM registered)::float8 AS t,"
	" CASE WHEN gender = 'male' THEN age END AS male, CASE WHEN gender = 'female' THEN age END AS female,"
	" CASE WHEN gender IS NULL OR gender NOT IN ('male', 'female') THEN age END AS other"
	" FROM dashboard.users_sample WHERE registered IS NOT NULL AND age IS NOT NULL ORDER BY registered LIMIT 1000",
	sample_columns, "", NULL, ABSENT, false, true, "registered ascending"
};

static const UsColumn arrival_columns[] = {
	{"label", "Minute", US_KIND_TEXT, NULL, NULL, NULL},
	{"n", "Rows", US_KIND_COUNT, NULL, NULL, NULL},
	{0}
};

static const UsPanel arrivals_panel = {
	"arrivals", "Rows that arrived, last hour",
	"SELECT to_char(m, 'HH24:MI') AS label, coalesce(a.n, 0)::bigint AS n"
	" FROM generate_series(date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()),"
	" interval '1 minute') m LEFT JOIN dashboard.users_arrivals a ON a.minute = m ORDER BY m",
	arrival_columns, "", NULL, ABSENT, false, true, NULL
};

static const UsChart nationality_chart = {
	"nationalities", "Users by nationality and gender, the first 15", "nationality", "users", "label",
	{{"male", "male"}, {"female", "female"}, {"other", "other"}, {0}}
};
static const UsChart age_chart = {
	"ages", "Users by age and gender", "age, years", "users", "label",
	{{"male", "male"}, {"female", "female"}, {"other", "other"}, {0}}
};
static const UsChart registration_chart = {
	"registrations", "Age against registration, by month", "month of registration", "age, years", "t",
	{{"male", "median, male"}, {"female", "median, female"}, {"p10", "youngest tenth below"},
	{"p90", "oldest tenth above"}, {0}}
};
static const UsChart sample_chart = {
	"sample", "Age and registration of some users, at most 1000", "registration", "age, years", "t",
	{{"male", "male"}, {"female", "female"}, {"other", "other"}, {0}}
};
static const UsChart arrivals_chart = {
	"arrivals", "Rows that arrived, by minute, last hour", "minute, UTC", "rows", "label", {{"n", "rows"}, {0}}
};

static const struct
{
	const UsPanel *panel;
	const UsChart *chart;
	UsDraw		draw;
}			charts[] = {
	{&nationality_panel, &nationality_chart, us_chart_bars},
	{&registration_panel, &registration_chart, us_chart_lines},
	{&age_panel, &age_chart, us_chart_bars},
	{&sample_panel, &sample_chart, us_chart_points},
	{&arrivals_panel, &arrivals_chart, us_chart_bars},
};

static void
write_card(UsBuf *body, const char *label, const char *note)
{
	us_buf_printf(body, "</dd><dt>%s</dt><dd class=\"note\">%s</dd></div>\n", us_text(label), note);
}

static void
write_cards(UsPage *page, const PGresult *totals)
{
	const char *male = us_row_text(totals, 0, "male");
	const char *female = us_row_text(totals, 0, "female");
	const char *age = us_row_text(totals, 0, "age_avg");
	UsBuf		note = {0};
	UsBuf		count = {0};

	us_buf_puts(page->body, "<dl class=\"cards\">\n<div><dd class=\"big\">");
	us_format_count(page->body, us_row_text(totals, 0, "total"));
	us_format_count(&count, us_row_text(totals, 0, "age_unknown"));
	us_buf_printf(&note, us_text("of whom %s without a date of birth"), us_buf_text(&count));
	write_card(page->body, "Users", us_buf_text(&note));
	us_buf_puts(page->body, "<div><dd class=\"big\">");
	us_format_number(page->body, age ? strtod(age, NULL) : NAN, 1);
	write_card(page->body, "Average age", us_text("years"));
	us_buf_puts(page->body, "<div><dd class=\"big\">");
	us_format_count(page->body, us_row_text(totals, 0, "nationalities"));
	write_card(page->body, "Countries", us_text("nationalities"));
	us_buf_puts(page->body, "<div><dd class=\"big\">");
	if (strtod(female, NULL) > 0)
		us_format_number(page->body, 100 * strtod(male, NULL) / strtod(female, NULL), 1);
	else
		us_buf_puts(page->body, "∞");
	write_card(page->body, "Gender ratio", us_text("men per 100 women"));
	us_buf_printf(page->body, "</dl>\n<p class=\"note\">%s ", us_text("Counted"));
	us_format_time(page->body, us_row_text(totals, 0, "refreshed_at"));
	us_buf_puts(page->body, "</p>\n");
	us_buf_free(&note);
	us_buf_free(&count);
}

void
us_show_users(UsPage *page, const char *name)
{
	PGresult   *totals;
	bool		counted;

	(void) name;
	page->reply->plotly = page->plotly && us_page_is_html(page);
	us_page_begin(page, "Users", NULL);
	totals = us_page_query(page, &totals_panel, 0, NULL);
	counted = totals && us_row_text(totals, 0, "total") && strcmp(us_row_text(totals, 0, "total"), "0") != 0;
	if (counted && us_page_is_html(page))
		write_cards(page, totals);
	else if (totals && us_page_is_html(page))
		us_buf_printf(page->body, "<div class=\"box\">%s</div>\n", us_text("No user came yet."));
	/* a view that is missing is told of once; CSV asks for one table only */
	if (totals || page->away || page->request->format == US_FORMAT_CSV)
	{
		us_page_begin_charts(page);
		for (size_t i = 0; i < sizeof(charts) / sizeof(charts[0]); i++)
			us_page_charts(page, charts[i].panel, 0, NULL, &charts[i].chart, 1, charts[i].draw);
		us_page_end_charts(page);
	}
	PQclear(totals);
	us_page_end(page);
}
