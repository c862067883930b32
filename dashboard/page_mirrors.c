/*-------------------------------------------------------------------------
 * dashboard/page_mirrors.c
 *    the mirrors
 *-------------------------------------------------------------------------
 */
#include "dashboard/route.h"

static const UsColumn mirror_columns[] = {
	{"mirror", "Mirror", US_KIND_TEXT, NULL, NULL, NULL},
	{"state", "State", US_KIND_STATE, NULL, NULL, "unknown"},
	{"owner", "Owner", US_KIND_TEXT, NULL, NULL, NULL},
	{"target", "Table", US_KIND_CODE, NULL, NULL, NULL},
	{"copy", "In Cassandra", US_KIND_CODE, NULL, NULL, NULL},
	{"hosts", "Node", US_KIND_CODE, NULL, NULL, "unknown"},
	{"lag_bytes", "Lag", US_KIND_BYTES, NULL, NULL, "unknown"},
	{"lag_seconds", "Lag, time", US_KIND_SECONDS, NULL, NULL, "unknown"},
	{"retained_wal_bytes", "WAL kept back", US_KIND_BYTES, NULL, NULL, "unknown"},
	{"rows_per_second", "Rows/s", US_KIND_NUMBER, NULL, NULL, NULL},
	{"rows_mirrored", "Rows mirrored", US_KIND_COUNT, NULL, NULL, NULL},
	{"deletes", "Deletes", US_KIND_COUNT, NULL, NULL, NULL},
	{"parked", "Parked", US_KIND_COUNT, "/dead-letters?mirror=", "mirror", NULL},
	{"in_flight", "In flight", US_KIND_COUNT, NULL, NULL, NULL},
	{"write_p99_seconds", "99 % written within", US_KIND_SECONDS, NULL, NULL, NULL},
	{"failing_since", "Failing since", US_KIND_TIME, NULL, NULL, NULL},
	{"last_error", "Last error", US_KIND_LONG, NULL, NULL, NULL},
	{"last_error_at", "Last error at", US_KIND_TIME, NULL, NULL, NULL},
	{0}
};

static const UsPanel mirrors_panel = {
	"mirrors", "Mirrors",
	"SELECT mirror, owner, state, target, keyspace || '.' || table_name AS copy, hosts, lag_bytes, lag_seconds,"
	" retained_wal_bytes, rows_per_second, rows_mirrored, deletes, parked, in_flight,"
	" write_p99_seconds, failing_since, last_error, last_error_at"
	" FROM userstream.mirror_status"
	" ORDER BY " US_STATES_WORST_FIRST ", lag_bytes DESC NULLS LAST, mirror LIMIT 1001",
	mirror_columns, "No mirror yet, or none that this page's role may see.",
	"SELECT userstream.create_mirror('users', target => 'created_users', server => 'cassandra',"
	" keyspace => 'spark_streams', table_name => 'created_users')",
	"The userstream of this database has no mirrors: its version is older than they are.", false, false, NULL
};

void
us_show_mirrors(UsPage *page, const char *name)
{
	PGresult   *mirrors;

	(void) name;
	us_page_begin(page, "Mirrors", NULL);
	mirrors = us_page_query(page, &mirrors_panel, 0, NULL);
	if (mirrors)
		us_page_facts(page, &mirrors_panel, mirrors);
	PQclear(mirrors);
	us_show_incidents(page, NULL, true);
	us_page_end(page);
}
