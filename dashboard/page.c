/*-------------------------------------------------------------------------
 * dashboard/page.c
 *    a page's panels: their rows in any format, or why there are none
 *-------------------------------------------------------------------------
 */
#include "dashboard/page.h"

#include <stdio.h>
#include <string.h>

#include "dashboard/cell.h"
#include "dashboard/db.h"
#include "dashboard/escape.h"
#include "dashboard/words.h"

bool
us_page_is_html(const UsPage *page)
{
	return page->request->format == US_FORMAT_HTML;
}

/* a panel's heading is not seen where it says no more than the page's */
static void
write_heading(UsPage *page, const UsPanel *panel)
{
	bool		repeats = strncmp(panel->title, page->heading, strlen(panel->title)) == 0;

	us_buf_printf(page->body, "<section id=\"%s\"><h2%s>%s</h2>\n", panel->id,
				  repeats ? " class=\"sr\"" : "", us_text(panel->title));
}

void
us_sql_literal(UsBuf *buf, const char *text)
{
	bool		escape = strchr(text, '\\') != NULL;

	us_buf_puts(buf, escape ? "E'" : "'");
	for (; *text; text++)
	{
		if (*text == '\'' || *text == '\\')
			us_buf_add(buf, text, 1);
		us_buf_add(buf, text, 1);
	}
	us_buf_puts(buf, "'");
}

void
us_page_call(UsPage *page, const char *what, const char *sql)
{
	if (!us_page_is_html(page))
		return;
	us_buf_puts(page->body, "<div class=\"call\"><span>");
	us_buf_puts(page->body, us_text(what));
	us_buf_puts(page->body, "</span><code tabindex=\"0\">");
	us_html_text(page->body, sql);
	us_buf_puts(page->body, "</code></div>\n");
}

void
us_page_call_with(UsPage *page, const char *what, const char *before, const char *name,
				  const char *after)
{
	UsBuf		sql = {0};

	us_buf_puts(&sql, before);
	us_sql_literal(&sql, name);
	us_buf_puts(&sql, after);
	us_page_call(page, what, us_buf_text(&sql));
	us_buf_free(&sql);
}

const char *
us_row_text(const PGresult *rows, int row, const char *column)
{
	int			number = PQfnumber(rows, column);

	if (number < 0 || row >= PQntuples(rows) || PQgetisnull(rows, row, number))
		return NULL;
	return PQgetvalue(rows, row, number);
}

static bool
has_extension(void)
{
	PGresult   *rows = us_db_query("SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'userstream'",
								   0, NULL);
	bool		there = rows && PQntuples(rows) > 0;

	PQclear(rows);
	return there;
}

/* what a person can do about an error; *sql is a call that helps, or NULL */
static const char *
explain(const UsPanel *panel, const char *sqlstate, const char **sql)
{
	*sql = NULL;
	if (sqlstate[0] == '\0')
		return "Not run: the panels before it took all of this page's five seconds.";
	if (strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "57P", 3) == 0)
		return "The connection to the database was lost.";
	if (strcmp(sqlstate, "57014") == 0)
		return "It took longer than this page waits.";
	if (strcmp(sqlstate, "55P03") == 0)
		return "Someone holds a lock on what it reads.";
	if (strcmp(sqlstate, "42501") == 0)
	{
		*sql = panel->looks ? "GRANT USAGE ON FOREIGN SERVER ... TO userstream_dashboard"
			: "GRANT pg_monitor TO userstream_dashboard";
		return "This role may not read it. Who may can grant it, on purpose:";
	}
	if (strcmp(sqlstate, "3F000") == 0 || strcmp(sqlstate, "42P01") == 0 ||
		strcmp(sqlstate, "42883") == 0 || strcmp(sqlstate, "42703") == 0)
	{
		/* the look asks for other statements' errors no more */
		if (!has_extension())
		{
			*sql = "CREATE EXTENSION userstream";
			return "This database has no userstream yet:";
		}
		return panel->absent ? panel->absent : "This version of userstream does not have it.";
	}
	return panel->looks ? "Kafka could not be asked." : "It could not be read.";
}

static void
write_error(UsPage *page, const UsPanel *panel)
{
	char		sqlstate[6];
	char		message[1024] = "";
	const char *text;
	const char *sql;

	snprintf(sqlstate, sizeof(sqlstate), "%s", us_db_sqlstate());
	/* only a look at Kafka has a message that is for the reader */
	if (panel->looks)
		snprintf(message, sizeof(message), "%s", us_db_message());
	text = explain(panel, sqlstate, &sql);
	if (strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "57P", 3) == 0)
	{
		page->reply->status = 503;
		page->reply->retry_later = true;
	}
	if (page->json)
		us_json_add_error(page->json, panel->id, sqlstate, text);
	if (!us_page_is_html(page))
		return;
	write_heading(page, panel);
	us_buf_printf(page->body, "<div class=\"box bad\" role=\"status\">%s", us_text(text));
	if (message[0])
	{
		us_buf_puts(page->body, " <q>");
		us_html_text(page->body, message);
		us_buf_puts(page->body, "</q>");
	}
	if (sqlstate[0])
		us_buf_printf(page->body, " <small>(%s)</small>", sqlstate);
	us_buf_puts(page->body, "</div>\n");
	if (sql)
		us_page_call(page, "", sql);
	us_buf_puts(page->body, "</section>\n");
}

static void
write_csv(UsPage *page, const PGresult *rows)
{
	for (int column = 0; column < PQnfields(rows); column++)
	{
		us_buf_puts(page->body, column ? "," : "");
		us_csv_field(page->body, PQfname(rows, column));
	}
	us_buf_puts(page->body, "\r\n");
	for (int row = 0; row < PQntuples(rows); row++)
	{
		for (int column = 0; column < PQnfields(rows); column++)
		{
			us_buf_puts(page->body, column ? "," : "");
			us_csv_field(page->body, PQgetvalue(rows, row, column));
		}
		us_buf_puts(page->body, "\r\n");
	}
	page->csv_done = true;
}

PGresult *
us_page_query(UsPage *page, const UsPanel *panel, int nparams, const char *const *params)
{
	const char *table = us_request_param(page->request, "table");
	PGresult   *rows;

	if (page->away)
	{
		if (page->json)
			us_json_add_error(page->json, panel->id, "08006", "the database is away");
		return NULL;
	}
	if (page->request->format == US_FORMAT_CSV &&
		(page->csv_done || (table && strcmp(table, panel->id) != 0)))
		return NULL;
	rows = panel->looks ? us_db_look(panel->sql, nparams, params)
		: us_db_query(panel->sql, nparams, params);
	if (rows == NULL)
		write_error(page, panel);
	else if (page->json)
		us_json_add_rows(page->json, panel->id, rows);
	else if (page->request->format == US_FORMAT_CSV)
		write_csv(page, rows);
	return rows;
}

/* the columns of a table; those from a note on stand below each row */
static int
count_columns(const UsPanel *panel)
{
	int			n = 0;

	while (panel->columns[n].name && panel->columns[n].kind != US_KIND_NOTE)
		n++;
	return n;
}

static void
write_note(UsPage *page, const UsPanel *panel, const PGresult *rows, int row, int ncolumns)
{
	const UsColumn *note = &panel->columns[ncolumns];

	if (note->name == NULL || us_row_text(rows, row, note->name) == NULL)
		return;
	us_buf_printf(page->body, "<tr class=\"more\"><td colspan=\"%d\"><div>", ncolumns);
	for (const UsColumn *column = note; column->name; column++)
	{
		if (us_row_text(rows, row, column->name) == NULL)
			continue;
		us_buf_printf(page->body, "%s<span class=\"label\">%s%s</span> ", column == note ? "" : " ", us_text(column->label),
					  column == note ? ":" : "");
		us_cell_write_value(page->body, column, rows, row);
	}
	us_buf_puts(page->body, "</div></td></tr>\n");
}

static void
write_column_head(UsBuf *body, const UsPanel *panel, const UsColumn *column)
{
	size_t		len = strlen(column->name);
	bool		sorted = panel->sorted && strncmp(panel->sorted, column->name, len) == 0 &&
		panel->sorted[len] == ' ';

	us_buf_puts(body, us_cell_is_number(column->kind) ? "<th scope=\"col\" class=\"n\"" : "<th scope=\"col\"");
	if (sorted)
		us_buf_printf(body, " aria-sort=\"%s\"", panel->sorted + len + 1);
	us_buf_printf(body, ">%s</th>", us_text(column->label));
}

static void
write_rows(UsPage *page, const UsPanel *panel, const PGresult *rows)
{
	int			shown = PQntuples(rows) < US_PAGE_MAX_ROWS ? PQntuples(rows) : US_PAGE_MAX_ROWS;
	int			ncolumns = count_columns(panel);

	us_buf_printf(page->body, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">"
				  "<table><caption>%s</caption><thead><tr>", us_text(panel->title), us_text(panel->title));
	for (int i = 0; i < ncolumns; i++)
		write_column_head(page->body, panel, &panel->columns[i]);
	us_buf_puts(page->body, "</tr></thead>\n<tbody>\n");
	for (int row = 0; row < shown; row++)
	{
		us_buf_puts(page->body, "<tr>");
		for (int i = 0; i < ncolumns; i++)
			us_cell_write(page->body, &panel->columns[i], rows, row, i == 0);
		us_buf_puts(page->body, "</tr>\n");
		write_note(page, panel, rows, row, ncolumns);
	}
	us_buf_puts(page->body, "</tbody></table></div>\n");
	if (shown < PQntuples(rows))
	{
		us_buf_puts(page->body, "<p class=\"note\">");
		us_buf_printf(page->body, us_text("There are more than these %d."), shown);
		us_buf_puts(page->body, "</p>\n");
	}
}

void
us_page_facts(UsPage *page, const UsPanel *panel, const PGresult *rows)
{
	if (!us_page_is_html(page))
		return;
	if (PQntuples(rows) == 0)
	{
		us_page_empty(page, panel);
		return;
	}
	write_heading(page, panel);
	for (int row = 0; row < PQntuples(rows) && row < US_PAGE_MAX_ROWS; row++)
	{
		us_buf_puts(page->body, "<dl class=\"facts\">\n");
		for (const UsColumn *column = panel->columns; column->name; column++)
		{
			bool		wide = column->kind == US_KIND_LONG || column->kind == US_KIND_NOTE;

			/* what is long and absent is not worth a line of its own */
			if (wide && us_row_text(rows, row, column->name) == NULL)
				continue;
			us_buf_printf(page->body, "<div%s><dt>%s</dt><dd%s>", wide ? " class=\"wide\"" : "", us_text(column->label),
						  column->kind == US_KIND_CODE ? " class=\"code\"" : "");
			us_cell_write_value(page->body, column, rows, row);
			us_buf_puts(page->body, "</dd></div>\n");
		}
		us_buf_puts(page->body, "</dl>\n");
	}
	us_buf_puts(page->body, "</section>\n");
}

void
us_page_empty(UsPage *page, const UsPanel *panel)
{
	if (!us_page_is_html(page))
		return;
	write_heading(page, panel);
	us_buf_printf(page->body, "<div class=\"box\">%s</div>\n", us_text(panel->empty));
	if (panel->empty_sql)
		us_page_call(page, "", panel->empty_sql);
	us_buf_puts(page->body, "</section>\n");
}

/* below its heading; that of a chart behind a click */
static void
write_table(UsPage *page, const UsPanel *panel, const PGresult *rows)
{
	const char *const as_csv[] = {"format", "csv", "table", panel->id, NULL};

	if (panel->folded)
	{
		us_buf_printf(page->body, "<details id=\"%s-table\"><summary><span class=\"sr\">%s, </span>%s (",
					  panel->id, us_text(panel->title), us_text("As a table"));
		us_page_link(page, NULL, "CSV", as_csv);
		us_buf_puts(page->body, ")</summary>\n");
	}
	write_rows(page, panel, rows);
	us_buf_puts(page->body, panel->folded ? "</details>\n" : "");
}

void
us_page_table(UsPage *page, const UsPanel *panel, const PGresult *rows)
{
	if (!us_page_is_html(page))
		return;
	if (PQntuples(rows) == 0)
	{
		us_page_empty(page, panel);
		return;
	}
	write_heading(page, panel);
	write_table(page, panel, rows);
	us_buf_puts(page->body, "</section>\n");
}

int
us_page_panel(UsPage *page, const UsPanel *panel, int nparams, const char *const *params)
{
	PGresult   *rows = us_page_query(page, panel, nparams, params);
	int			count = rows ? PQntuples(rows) : -1;

	if (rows)
		us_page_table(page, panel, rows);
	PQclear(rows);
	return count;
}

bool
us_page_one(UsPage *page, const char *heading, const UsPanel *panel, int nparams,
			const char *const *params, const char *name, const char *none, PGresult **rows)
{
	us_page_begin(page, heading, name);
	*rows = us_page_query(page, panel, nparams, params);
	if (*rows == NULL)
		return true;
	if (PQntuples(*rows) > 0)
	{
		if (PQntuples(*rows) == 1)
			us_page_facts(page, panel, *rows);
		else
			us_page_table(page, panel, *rows);
		return true;
	}
	PQclear(*rows);
	*rows = NULL;
	us_buf_free(page->body);
	us_page_not_found(page, none, name);
	return false;
}

void
us_page_begin_charts(UsPage *page)
{
	if (us_page_is_html(page))
		us_buf_puts(page->body, "<div class=\"charts\">\n");
}

void
us_page_end_charts(UsPage *page)
{
	if (us_page_is_html(page))
		us_buf_puts(page->body, "</div>\n");
}

void
us_page_charts(UsPage *page, const UsPanel *panel, int nparams, const char *const *params,
			   const UsChart *const *charts, int ncharts, UsDraw draw)
{
	PGresult   *rows = us_page_query(page, panel, nparams, params);

	if (rows && us_page_is_html(page) && PQntuples(rows) > 0)
	{
		write_heading(page, panel);
		us_buf_puts(page->body, ncharts > 1 ? "<div class=\"charts\">\n" : "");
		for (int i = 0; i < ncharts; i++)
			draw(page->body, charts[i], rows);
		us_buf_puts(page->body, ncharts > 1 ? "</div>\n" : "");
		write_table(page, panel, rows);
		us_buf_puts(page->body, "</section>\n");
	}
	else if (rows && us_page_is_html(page) && panel->empty[0])
		us_page_empty(page, panel);
	PQclear(rows);
}
