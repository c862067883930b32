/*-------------------------------------------------------------------------
 * dashboard/page_frame.c
 *    what stands around a page's panels: head, navigation, state of all
 *    streams, links, foot; and the page that says that there is none
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "dashboard/db.h"
#include "dashboard/escape.h"
#include "dashboard/format.h"
#include "dashboard/route.h"
#include "dashboard/words.h"

/* the one version that this was tried with (make plotly) */
#define US_PLOTLY "plotly-basic-4.1.1.min.js"
#define US_PLOTLY_SUM "sha384-N2HZsG+IG/3J8CwhGGYz/kmzZ0sprpPWwjhor9ZI4lxuf47i9DXK2/NDGxMaJiEb"

static void
write_pair(UsBuf *body, const char **separator, const char *name, const char *value)
{
	us_buf_puts(body, *separator);
	us_url_arg(body, name);
	us_buf_puts(body, "=");
	us_url_arg(body, value);
	*separator = "&amp;";
}

void
us_page_link(UsPage *page, const char *rel, const char *label, const char *const *changes)
{
	const char *separator = "?";

	if (!us_page_is_html(page))
		return;
	us_buf_printf(page->body, "<a%s%s%s href=\"", rel ? " rel=\"" : "", rel ? rel : "", rel ? "\"" : "");
	/* what was asked for may be the reason that it is bare */
	for (int i = 0; !page->bare && i < page->request->nparams; i++)
	{
		const UsParam *param = &page->request->params[i];
		bool		changed = false;

		for (const char *const *change = changes; *change; change += 2)
			changed = changed || strcmp(param->name, *change) == 0;
		if (!changed && param->value[0])
			write_pair(page->body, &separator, param->name, param->value);
	}
	for (const char *const *change = changes; *change; change += 2)
	{
		if (change[1])
			write_pair(page->body, &separator, change[0], change[1]);
	}
	us_buf_puts(page->body, *separator == '?' ? "?\">" : "\">");
	us_html_text(page->body, label);
	us_buf_puts(page->body, "</a>");
}

static void
write_navigation(UsPage *page)
{
	us_buf_printf(page->body, "<nav aria-label=\"%s\"><ul>", us_text("Pages"));
	for (const UsRoute *route = us_routes; route->path; route++)
	{
		if (route->navigation == NULL)
			continue;
		us_buf_printf(page->body, "<li><a href=\"%s\"%s>%s</a></li>", route->path,
					  strcmp(route->navigation, page->title) == 0 ? " aria-current=\"page\"" : "",
					  us_text(route->navigation));
	}
	us_buf_puts(page->body, "</ul></nav>");
}

/* how many streams are in which state, the worst first; on every page */
static const char states_sql[] =
	"SELECT state, count(*) AS n FROM userstream.stream_status GROUP BY state"
	" ORDER BY " US_STATES_WORST_FIRST;

static void
write_states(UsPage *page)
{
	PGresult   *rows = us_db_query(states_sql, 0, NULL);

	/* why it cannot be read, the panels say */
	if (rows && PQntuples(rows) > 0)
	{
		us_buf_printf(page->body, "<p id=\"states\" aria-live=\"polite\">%s:", us_text("Streams"));
		for (int row = 0; row < PQntuples(rows); row++)
		{
			const char *state = us_row_text(rows, row, "state");

			us_buf_printf(page->body, "%s <a href=\"/streams?state=", row ? " ·" : "");
			us_url_arg(page->body, state ? state : "");
			us_buf_puts(page->body, "\">");
			us_page_state(page->body, state ? state : "unknown");
			us_buf_printf(page->body, " %s</a>", us_row_text(rows, row, "n"));
		}
		us_buf_puts(page->body, "</p>\n");
	}
	PQclear(rows);
}

/* what static/dashboard.js and plots.js say, as attributes data-... of the body */
static void
write_script_words(UsBuf *body)
{
	static const char *const words[][2] = {
		{"pause", "Pause"}, {"go-on", "Go on"}, {"paused", "paused"}, {"every", "renewed each # s"},
		{"renewed", "renewed at #"}, {"failed", "not renewed: no answer at #"}, {"here", "# here"},
		{"copy", "Copy"}, {"copied", "Copied"}, {"unknown", "unknown"}, {"other", "other"},
	};

	us_buf_puts(body, "<body");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		us_buf_printf(body, " data-%s=\"%s\"", words[i][0], us_text(words[i][1]));
	us_buf_puts(body, ">\n");
}

/* a link to this page in each other language */
static void
write_languages(UsPage *page)
{
	for (int i = 0; i < US_LANGUAGES; i++)
	{
		const char *const changes[] = {"lang", us_language_code((UsLanguage) i), NULL};

		if (i == (int) us_language_chosen())
			continue;
		us_buf_printf(page->body, " · <span lang=\"%s\">", changes[1]);
		us_page_link(page, NULL, us_language_name((UsLanguage) i), changes);
		us_buf_puts(page->body, "</span>");
	}
}

void
us_page_begin(UsPage *page, const char *heading, const char *name)
{
	const char *refresh = us_request_param(page->request, "refresh");
	int			seconds = refresh && strcmp(refresh, "0") == 0 ? 0 : page->refresh_s;

	page->heading = heading;
	if (!us_page_is_html(page))
		return;
	us_buf_printf(page->body, "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
				  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
				  "<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s%s",
				  us_language_code(us_language_chosen()), us_text(heading), name ? " " : "");
	us_html_text(page->body, name ? name : "");
	us_buf_puts(page->body, " · userstream</title>\n"
				"<link rel=\"icon\" href=\"data:,\">\n"
				"<link rel=\"stylesheet\" href=\"/static/" US_STYLE "\">\n"
				"<script src=\"/static/" US_SCRIPT "\" defer></script>\n");
	if (page->reply->plotly)
		us_buf_puts(page->body, "<script src=\"/static/" US_PLOTLY "\" integrity=\"" US_PLOTLY_SUM "\" defer></script>\n"
					"<script src=\"/static/" US_PLOTS "\" defer></script>\n");
	us_buf_puts(page->body, "</head>\n");
	write_script_words(page->body);
	us_buf_printf(page->body, "<a class=\"skip\" href=\"#main\">%s</a>\n<header>"
				  "<span class=\"brand\">userstream</span>", us_text("Skip to the content"));
	write_navigation(page);
	us_buf_printf(page->body, "<p id=\"refresh\" hidden><span id=\"stamp\"></span> "
				  "<button type=\"button\" id=\"pause\" class=\"small\">%s</button></p></header>\n", us_text("Pause"));
	us_buf_printf(page->body, "<main id=\"main\" tabindex=\"-1\" data-refresh=\"%d\">\n<h1>", seconds);
	us_buf_printf(page->body, name ? "<span class=\"kind\">%s</span> " : "%s", us_text(heading));
	us_html_text(page->body, name ? name : "");
	us_buf_puts(page->body, "</h1>\n");
	if (page->away)
		us_buf_printf(page->body, "<div class=\"box bad\" role=\"status\"><strong>%s</strong> %s</div>\n",
					  us_text("The database is away."),
					  us_text("No connection could be made; this page tries again at the next request."));
	else if (!page->bare)
		write_states(page);
}

void
us_page_end(UsPage *page)
{
	static const char *const as_json[] = {"format", "json", NULL};
	const char *as_of = page->away || page->bare ? NULL : us_db_now();

	if (page->request->format == US_FORMAT_JSON)
	{
		if (as_of)
			us_json_add_text(page->json, "as_of", as_of);
		us_json_write(page->body, page->json);
		/* without the time, which is last */
		if (as_of && page->body->len > strlen(as_of) + 4)
			page->reply->stable_len = page->body->len - strlen(as_of) - 4;
		return;
	}
	if (!us_page_is_html(page))
		return;
	page->reply->stable_len = page->body->len;
	if (as_of)
	{
		us_buf_printf(page->body, "<p class=\"note\" id=\"as-of\">%s ", us_text("As of"));
		us_format_time(page->body, as_of);
		us_buf_puts(page->body, "</p>\n");
	}
	us_buf_printf(page->body, "</main>\n<footer><p>%s ", us_text("Times are UTC."));
	us_page_link(page, NULL, us_text("This page as JSON"), as_json);
	us_buf_printf(page->body, " · <a href=\"/metrics\">%s</a>", us_text("Metrics"));
	if (!page->bare)
		write_languages(page);
	us_buf_puts(page->body, "</p></footer>\n</body>\n</html>\n");
}

void
us_page_not_found(UsPage *page, const char *none, const char *name)
{
	page->reply->status = 404;
	us_page_begin(page, "Not found", NULL);
	if (us_page_is_html(page))
	{
		us_buf_printf(page->body, "<div class=\"box\">%s <strong>", us_text(none));
		us_html_text(page->body, name);
		us_buf_printf(page->body, "</strong> %s</div>\n", us_text("that this role may see."));
	}
	else if (page->json)
		us_json_add_text(page->json, "error", "not found");
	us_page_end(page);
}
