/*-------------------------------------------------------------------------
 * dashboard/cell.c
 *    one value of a table, as its column wants it
 *-------------------------------------------------------------------------
 */
#include "dashboard/cell.h"

#include <stdlib.h>
#include <string.h>

#include "dashboard/escape.h"
#include "dashboard/format.h"
#include "dashboard/words.h"

/* a state is told by its word, and beside it by shape and colour */
static const struct
{
	const char *state;
	const char *mark;
	const char *class;
}			state_marks[] = {
	{"running", "●", "good"}, {"caught_up", "✓", "good"}, {"succeeded", "✓", "good"},
	{"starting", "◌", "mild"}, {"paused", "‖", "mild"}, {"skipped", "–", "mild"},
	{"cancelled", "○", "mild"}, {"copying", "●", "good"}, {"waiting", "▲", "warn"}, {"blocked", "■", "warn"},
	{"stopped", "✕", "bad"}, {"failed", "✕", "bad"},
};

void
us_page_state(UsBuf *body, const char *state)
{
	const char *mark = "?";
	const char *class = "mild";

	for (size_t i = 0; i < sizeof(state_marks) / sizeof(state_marks[0]); i++)
	{
		if (strcmp(state, state_marks[i].state) != 0)
			continue;
		mark = state_marks[i].mark;
		class = state_marks[i].class;
	}
	us_buf_printf(body, "<span class=\"state %s\"><span aria-hidden=\"true\">%s</span> ", class, mark);
	/* a word of ours, but it came from elsewhere; words have no underscores */
	for (const char *at = us_word(state); *at;)
	{
		char		word[64];
		size_t		len = strcspn(at, "_");

		if (len >= sizeof(word))
			len = sizeof(word) - 1;
		memcpy(word, at, len);
		word[len] = '\0';
		us_html_text(body, word);
		at += len;
		if (*at == '_')
		{
			us_buf_puts(body, " ");
			at++;
		}
	}
	us_buf_puts(body, "</span>");
}

bool
us_cell_is_number(UsKind kind)
{
	return kind == US_KIND_COUNT || kind == US_KIND_OFFSET || kind == US_KIND_NUMBER ||
		kind == US_KIND_SECONDS || kind == US_KIND_BYTES;
}

static void
write_binary(UsBuf *body, const char *text)
{
	UsBuf		bytes = {0};

	if (strncmp(text, "\\x", 2) != 0)
	{
		us_html_text(body, text);
		return;
	}
	us_format_unhex(&bytes, text);
	if (bytes.len == 0)
		us_buf_printf(body, "<span class=\"none\">%s</span>", us_text("0 bytes"));
	us_html_bytes(body, us_buf_text(&bytes), bytes.len);
	us_buf_free(&bytes);
}

static void
write_value(UsBuf *body, UsKind kind, const char *text)
{
	switch (kind)
	{
		case US_KIND_STATE:
			us_page_state(body, text);
			break;
		case US_KIND_COUNT:
			us_format_count(body, text);
			break;
		case US_KIND_NUMBER:
			us_format_number(body, strtod(text, NULL), 1);
			break;
		case US_KIND_SECONDS:
			us_format_seconds(body, strtod(text, NULL));
			break;
		case US_KIND_BYTES:
			us_format_bytes(body, strtod(text, NULL));
			break;
		case US_KIND_TIME:
			us_format_time(body, text);
			break;
		case US_KIND_YES:
			us_buf_printf(body, *text == 't' ? "<span class=\"state good\"><span aria-hidden=\"true\">✓</span> %s</span>"
						  : "<span class=\"state bad\"><span aria-hidden=\"true\">✕</span> %s</span>",
						  us_text(*text == 't' ? "yes" : "no"));
			break;
		case US_KIND_METER:
			us_buf_printf(body, "<meter min=\"0\" max=\"1\" value=\"%.4f\">%.0f %%</meter>",
						  strtod(text, NULL), strtod(text, NULL) * 100);
			break;
		case US_KIND_BINARY:
			write_binary(body, text);
			break;
		case US_KIND_WORD:
			us_html_text(body, us_word(text));
			break;
		case US_KIND_TEXT:
		case US_KIND_LONG:
		case US_KIND_CODE:
		case US_KIND_OFFSET:
		case US_KIND_NOTE:
			us_html_text(body, text);
			break;
	}
}

static const char *
cell_class(UsKind kind)
{
	if (us_cell_is_number(kind))
		return " class=\"n\"";
	if (kind == US_KIND_LONG)
		return " class=\"long\"";
	if (kind == US_KIND_BINARY)
		return " class=\"code long\"";
	if (kind == US_KIND_CODE)
		return " class=\"code\"";
	return "";
}

void
us_cell_write_value(UsBuf *body, const UsColumn *column, const PGresult *rows, int row)
{
	const char *text = us_row_text(rows, row, column->name);
	const char *target = column->link && column->link_column
		? us_row_text(rows, row, column->link_column) : text;

	if (text == NULL)
		us_buf_printf(body, "<span class=\"none\">%s</span>", column->null_text ? us_text(column->null_text) : "–");
	else if (column->link && target)
	{
		us_buf_printf(body, "<a href=\"%s", column->link);
		us_url_arg(body, target);
		us_buf_puts(body, "\">");
		write_value(body, column->kind, text);
		us_buf_puts(body, "</a>");
	}
	else
		write_value(body, column->kind, text);
}

void
us_cell_write(UsBuf *body, const UsColumn *column, const PGresult *rows, int row,
			  bool names_row)
{
	us_buf_printf(body, names_row ? "<th scope=\"row\"%s>" : "<td%s>", cell_class(column->kind));
	us_cell_write_value(body, column, rows, row);
	us_buf_puts(body, names_row ? "</th>" : "</td>");
}
