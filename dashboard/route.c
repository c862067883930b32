/*-------------------------------------------------------------------------
 * dashboard/route.c
 *    which address is which page, and what it may be asked
 *-------------------------------------------------------------------------
 */
#include "dashboard/route.h"

#include <string.h>

/* every page also takes format; refresh=0 and table=ID are those of us_page_* */
#define COMMON " refresh table "

const UsRoute us_routes[] = {
	{"/", "Users", "Users", US_ROUTE_PAGE, us_show_users, COMMON, US_CACHING_PAGE, 30},
	{"/streams", "Streams", "Streams", US_ROUTE_PAGE, us_show_streams, COMMON "state q ", US_CACHING_PAGE, 5},
	{"/feeds", "Feeds", "Feeds", US_ROUTE_PAGE, us_show_feeds, COMMON, US_CACHING_PAGE, 10},
	{"/dead-letters", "Dead letters", "Dead letters", US_ROUTE_PAGE, us_show_dead_letters,
	COMMON "stream feed mirror sqlstate before waiting limit ", US_CACHING_NEVER, 30},
	{"/mirrors", "Mirrors", "Mirrors", US_ROUTE_PAGE, us_show_mirrors, COMMON, US_CACHING_PAGE, 10},
	{"/streams/", NULL, "Streams", US_ROUTE_PAGE, us_show_stream, COMMON, US_CACHING_PAGE, 5},
	{"/messages/", NULL, "Streams", US_ROUTE_PAGE, us_show_messages,
	COMMON "partition offset from key contains header limit download ", US_CACHING_NEVER, 0},
	{"/feeds/", NULL, "Feeds", US_ROUTE_PAGE, us_show_feed, COMMON, US_CACHING_PAGE, 10},
	{"/dead-letters/", NULL, "Dead letters", US_ROUTE_PAGE, us_show_dead_letter, COMMON "download ", US_CACHING_NEVER, 0},
	{"/metrics", NULL, "Metrics", US_ROUTE_METRICS, NULL, " ", US_CACHING_NEVER, 0},
	{"/health", NULL, "Health", US_ROUTE_HEALTH, NULL, " ", US_CACHING_NEVER, 0},
	{0}
};

const UsRoute *
us_route_find(const char *path, const char **name)
{
	for (const UsRoute *route = us_routes; route->path; route++)
	{
		size_t		len = strlen(route->path);

		*name = "";
		if (strcmp(path, route->path) == 0)
		{
			/* a name that is empty is none */
			if (len > 1 && route->path[len - 1] == '/')
				continue;
			return route;
		}
		if (len > 1 && route->path[len - 1] == '/' && strncmp(path, route->path, len) == 0)
		{
			*name = path + len;
			return route;
		}
	}
	return NULL;
}

bool
us_route_accepts(const UsRoute *route, UsRequest *request)
{
	for (int i = 0; i < request->nparams; i++)
	{
		const char *name = request->params[i].name;
		size_t		len = strlen(name);
		/* a name with a blank would match the list's own, before its first name too */
		const char *at = strchr(name, ' ') ? "" : route->params;
		bool		known = false;

		for (; (at = strstr(at, name)) != NULL; at++)
			known = known || (at[-1] == ' ' && at[len] == ' ');
		if (!known)
			return us_request_refuse(request, 400, "this page has no such parameter");
	}
	if (route->kind != US_ROUTE_PAGE && request->format != US_FORMAT_HTML)
		return us_request_refuse(request, 400, "this address has no other format");
	return true;
}
