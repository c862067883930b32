/*-------------------------------------------------------------------------
 * dashboard/main.c
 *    the dashboard: CGI and FastCGI from one program
 *
 * A web server starts it: by FastCGI it stays, with its connection to
 * PostgreSQL; as CGI it answers once, from its environment to its standard
 * output.  It writes nothing anywhere else, opens no file, and changes
 * nothing.
 *-------------------------------------------------------------------------
 */
#include <fcgiapp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dashboard/db.h"
#include "dashboard/reply.h"
#include "dashboard/request.h"
#include "dashboard/route.h"
#include "dashboard/shared.h"
#include "dashboard/words.h"

static void
show_error(const UsRequest *request, UsReply *reply, int status, const char *text)
{
	UsPage		page = {
		.request = (UsRequest *) request, .reply = reply, .body = &reply->body, .title = "",
		.bare = true
	};

	us_buf_free(&reply->body);
	reply->stable_len = 0;
	reply->status = status;
	reply->caching = US_CACHING_NEVER;
	if (request->format == US_FORMAT_CSV)
	{
		reply->type = "text/plain; charset=utf-8";
		us_buf_printf(&reply->body, "%s\n", text);
		return;
	}
	if (request->format == US_FORMAT_JSON)
	{
		page.json = us_json_create();
		us_json_add_text(page.json, "error", text);
	}
	us_page_begin(&page, "Not answered", NULL);
	if (us_page_is_html(&page))
		us_buf_printf(&reply->body, "<div class=\"box bad\">%s</div>\n", text);
	us_page_end(&page);
	if (page.json)
		us_json_free(page.json);
}

static void
show_page(const UsRoute *route, UsRequest *request, UsReply *reply, const char *name)
{
	UsPage		page = {
		.request = request, .reply = reply, .body = &reply->body,
		.title = route->title, .refresh_s = route->refresh_s,
		.plotly = getenv("USERSTREAM_PLOTLY") != NULL
	};

	reply->type = request->format == US_FORMAT_JSON ? "application/json; charset=utf-8"
		: request->format == US_FORMAT_CSV ? "text/csv; charset=utf-8; header=present"
		: "text/html; charset=utf-8";
	reply->caching = route->caching;
	reply->shared = true;
	if (request->format == US_FORMAT_CSV)
		reply->file_name = "userstream.csv";
	if (request->format == US_FORMAT_JSON)
		page.json = us_json_create();
	page.away = !us_db_begin();
	if (page.away)
	{
		reply->status = 503;
		reply->retry_later = true;
	}
	route->show(&page, name);
	us_db_end();
	if (page.json)
		us_json_free(page.json);
	if (request->format == US_FORMAT_CSV && !page.csv_done && request->error_status == 0)
	{
		bool		away = page.away || reply->status == 503;

		us_request_refuse(request, away ? 503 : 404,
						  away ? "the database is away" : "this page has no such table");
	}
}

static void
show_health(UsReply *reply)
{
	bool		healthy = us_db_is_healthy();

	reply->type = "text/plain; charset=utf-8";
	reply->status = healthy ? 200 : 503;
	reply->retry_later = !healthy;
	us_buf_puts(&reply->body, healthy ? "ok\n" : "the database does not answer\n");
}

static void
answer(UsRequest *request, UsReply *reply)
{
	const char *name = "";
	const UsRoute *route = NULL;

	if (request->error_status == 0)
	{
		route = us_route_find(request->path, &name);
		if (route == NULL)
			us_request_refuse(request, 404, "there is no such page");
	}
	if (request->error_status == 0 && route && us_route_accepts(route, request))
	{
		if (route->kind == US_ROUTE_HEALTH)
			show_health(reply);
		else if (route->kind == US_ROUTE_METRICS)
		{
			reply->type = request->openmetrics
				? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				: "text/plain; version=0.0.4; charset=utf-8";
			reply->shared = true;
			us_metrics_write(&reply->body, request->openmetrics);
		}
		else
			show_page(route, request, reply, name);
	}
	if (request->error_status != 0)
	{
		reply->type = request->format == US_FORMAT_JSON ? "application/json; charset=utf-8"
			: "text/html; charset=utf-8";
		reply->file_name = NULL;
		show_error(request, reply, request->error_status, request->error);
	}
	if (reply->body.failed)
		show_error(request, reply, 500, us_text("the answer became too large"));
}

/* what is sent, from one request's variables */
static void
serve(UsVariable variable, void *context, UsBuf *out)
{
	static UsRequest request;
	UsReply		reply = {.status = 200, .type = "text/html; charset=utf-8", .caching = US_CACHING_NEVER};

	us_request_read(&request, variable, context);
	if (us_shared_find(&request, &reply))
	{
		reply.db_us = 0;
		us_reply_write(&reply, &request, out);
		return;					/* its body stays where it is kept */
	}
	answer(&request, &reply);
	reply.db_us = us_db_take_spent();
	us_reply_write(&reply, &request, out);
	us_shared_keep(&request, &reply);
}

static const char *
cgi_variable(void *context, const char *name)
{
	(void) context;
	return getenv(name);
}

static const char *
fcgi_variable(void *context, const char *name)
{
	return FCGX_GetParam(name, context);
}

static int
serve_cgi(void)
{
	UsBuf		out = {0};
	bool		done;

	serve(cgi_variable, NULL, &out);
	done = !out.failed && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
	us_buf_free(&out);
	return done ? 0 : 1;
}

static int
serve_fcgi(void)
{
	FCGX_Request request;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, 0, 0) != 0)
		return 1;
	while (FCGX_Accept_r(&request) == 0)
	{
		UsBuf		out = {0};

		serve(fcgi_variable, request.envp, &out);
		if (out.failed)
			FCGX_PutS("Status: 500 Internal Server Error\r\nContent-Type: text/plain\r\n\r\n", request.out);
		else
			FCGX_PutStr(out.data, (int) out.len, request.out);
		us_buf_free(&out);
		FCGX_Finish_r(&request);
	}
	return 0;
}

int
main(void)
{
	struct rlimit no_core = {0, 0};

	/* a core would hold what pages show */
	setrlimit(RLIMIT_CORE, &no_core);
	/* a reader that went away is seen by the write that fails */
	signal(SIGPIPE, SIG_IGN);
	return FCGX_IsCGI() ? serve_cgi() : serve_fcgi();
}
