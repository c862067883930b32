/*-------------------------------------------------------------------------
 * worker/mirror_table.c
 *    the table in Cassandra: made, looked at, and compared with the plan
 *
 * Runs in a mirror worker, once, before the first change.  One question at a
 * time; a connection that breaks meanwhile lets it begin anew.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/shmem.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "worker/mirror_table.h"

#define AGREEMENT_TRIES		50
#define AGREEMENT_PAUSE_MS	200
#define TURN_MS				1000

/* a column as system_schema has it */
typedef struct TableColumn
{
	char	   *name;
	char	   *kind;			/* partition_key, clustering, static, regular */
	int			position;
} TableColumn;

typedef struct Look
{
	const UsMirror *mirror;
	UsMirrorPlan *plan;
	UsCassandra *link;
	UsMirrorTrouble *trouble;
	void		(*turn) (void *arg);	/* called while it waits */
	void	   *turn_arg;
	char	   *reported;		/* error shown last; NULL = none */
	int			refusals;		/* of the statement */
	int			ncolumns;
	TableColumn *columns;
} Look;

static char *
to_cstring(UsCqlBytes bytes)
{
	return bytes.data == NULL ? pstrdup("") : pnstrdup((const char *) bytes.data, bytes.len);
}

static void
wait_a_turn(Look *look, long timeout_ms)
{
	const char *error = us_cassandra_error(look->link);

	CHECK_FOR_INTERRUPTS();
	if (us_slot_stop_requested())
		proc_exit(0);
	if (us_cassandra_host(look->link) == NULL && error[0] != '\0' &&
		(look->reported == NULL || strcmp(look->reported, error) != 0))
	{
		if (look->reported == NULL)
			ereport(LOG,
					(errmsg("mirror \"%s\" is waiting: %s", look->mirror->name, error)));
		look->reported = pstrdup(error);
		us_slot_report_error(US_STATE_WAITING, error);
	}
	look->turn(look->turn_arg);
	us_cassandra_wait(look->link, timeout_ms);
}

static void
wait_until_ready(Look *look)
{
	UsCqlEvent	event;

	for (;;)
	{
		/* also the end of a connection that was refused: until then it seems to be ready */
		while (us_cassandra_next(look->link, &event))
			;
		if (us_cassandra_conn(look->link) != NULL)
			return;
		wait_a_turn(look, TURN_MS);
	}
}

/*
 * One statement and its answer, which lives until the next question; NULL
 * when the connection broke.
 */
static UsCqlResponse *
ask(Look *look, const char *text, uint16_t consistency)
{
	UsCqlRequest request = {.query = text, .query_len = strlen(text), .consistency = consistency};
	UsCqlEvent	event;

	wait_until_ready(look);
	if (us_cql_conn_send(us_cassandra_conn(look->link), &request, us_cassandra_now()) != US_CQL_OK)
		return NULL;
	for (;;)
	{
		while (us_cassandra_next(look->link, &event))
		{
			if (event.kind == US_CQL_EVENT_ANSWER && event.request == &request)
				return event.response;
			/* the request is on our stack: it must have ended before we leave */
			if (event.request == &request)
				return NULL;
		}
		wait_a_turn(look, TURN_MS);
	}
}

/* it is asked again later; a right that a person must grant, much later */
static void
refuse_host(Look *look, const char *text, const UsCqlError *error)
{
	us_cassandra_refuse(look->link,
						psprintf("%s: %s (\"%.150s\")", us_cql_error_name(error->code),
								 to_cstring(error->message), text),
						us_cql_error_remedy(error->code) == US_CQL_REMEDY_RIGHTS);
}

static UsCqlStatement *
ask_prepare(Look *look, const char *text, char **error)
{
	UsCqlStatement *statement;
	UsCqlEvent	event;
	UsCqlRemedy remedy;

	*error = NULL;
	wait_until_ready(look);
	if (us_cql_conn_prepare(us_cassandra_conn(look->link), text, strlen(text), NULL,
							us_cassandra_now(), &statement) != US_CQL_OK)
		return NULL;
	for (;;)
	{
		while (us_cassandra_next(look->link, &event))
		{
			if (event.kind == US_CQL_EVENT_FAILED)
				return NULL;
			if (event.statement != statement)
				continue;
			if (event.kind != US_CQL_EVENT_PREPARED)
				return NULL;
			if (event.response->opcode != US_CQL_ERROR)
				return statement;
			remedy = us_cql_error_remedy(event.response->error.code);
			*error = to_cstring(event.response->error.message);
			if (remedy == US_CQL_REMEDY_REFUSED)
				return NULL;
			/* not the statement's fault */
			refuse_host(look, text, &event.response->error);
			*error = NULL;
			return NULL;
		}
		wait_a_turn(look, TURN_MS);
	}
}

static void
set_trouble(Look *look, const char *kind, char *detail, char *what_to_do)
{
	look->trouble->kind = kind;
	look->trouble->detail = detail;
	look->trouble->what_to_do = what_to_do;
}

static char *
resume_advice(Look *look, const char *first)
{
	return psprintf("%s, then call userstream.resume_mirror(%s).", first,
					quote_literal_cstr(look->mirror->name));
}

/* what was there is gone, and with it what rows had in it */
static char *
resync_advice(Look *look)
{
	return psprintf(look->mirror->create_table ?
					"SELECT userstream.resync_mirror(%s) makes it and copies all rows anew." :
					"Make it, then SELECT userstream.resync_mirror(%s), which copies all rows anew.",
					quote_literal_cstr(look->mirror->name));
}

/* a statement of ours about the schema; false: begin anew, or there is trouble */
static bool
change_schema(Look *look, const char *text)
{
	UsCqlResponse *response = ask(look, text, US_CQL_ONE);

	if (response == NULL)
		return false;
	if (response->opcode != US_CQL_ERROR || response->error.code == US_CQL_ERR_ALREADY_EXISTS)
		return true;
	if (us_cql_error_remedy(response->error.code) == US_CQL_REMEDY_REFUSED)
		set_trouble(look, "create_table",
					psprintf("Cassandra refused \"%s\": %s", text,
							 to_cstring(response->error.message)),
					resume_advice(look, "Make the table yourself"));
	else
		refuse_host(look, text, &response->error);
	return false;
}

/* rows with so many columns; NULL: begin anew */
static UsCqlResponse *
ask_rows(Look *look, const char *text, int ncolumns)
{
	UsCqlResponse *response = ask(look, text, US_CQL_ONE);

	if (response != NULL && response->opcode == US_CQL_ERROR)
		refuse_host(look, text, &response->error);
	else if (response != NULL && response->kind == US_CQL_ROWS &&
			 response->result.ncolumns == ncolumns)
		return response;
	return NULL;
}

static bool
read_columns(Look *look)
{
	UsCqlResponse *response =
		ask_rows(look, psprintf("SELECT column_name, kind, position FROM system_schema.columns"
								" WHERE keyspace_name = '%s' AND table_name = '%s'",
								look->mirror->keyspace, look->mirror->table_name), 3);
	UsCqlBytes	cells[3];

	if (response == NULL)
		return false;
	look->ncolumns = 0;
	look->columns = palloc(sizeof(TableColumn) * Max(response->nrows, 1));
	for (int32_t i = 0; i < response->nrows; i++)
	{
		TableColumn *column = &look->columns[look->ncolumns++];
		int64_t		position = -1;

		if (us_cql_next_row(response, cells) != US_CQL_OK)
			return false;
		column->name = to_cstring(cells[0]);
		column->kind = to_cstring(cells[1]);
		(void) us_cql_get_integer(cells[2], &position);
		column->position = (int) position;
	}
	return true;
}

/* one answer of one cell, or of a column of them: whether all are the same; -1 = ask again */
static int
is_one_version(Look *look, char **version)
{
	static const char *const texts[] = {
		"SELECT schema_version FROM system.local",
		"SELECT schema_version FROM system.peers"
	};
	bool		same = true;

	*version = NULL;
	for (size_t i = 0; i < lengthof(texts); i++)
	{
		UsCqlResponse *response = ask(look, texts[i], US_CQL_ONE);
		UsCqlBytes	cell;

		if (response == NULL || response->opcode == US_CQL_ERROR || response->kind != US_CQL_ROWS ||
			response->result.ncolumns != 1)
			return -1;
		for (int32_t row = 0; row < response->nrows; row++)
		{
			if (us_cql_next_row(response, &cell) != US_CQL_OK)
				return -1;
			if (cell.data == NULL)
				continue;
			if (*version == NULL)
				*version = to_cstring(cell);
			else if (memcmp(*version, cell.data, Min(cell.len, 16)) != 0)
				same = false;
		}
	}
	return same;
}

/* a node that does not know the table yet would refuse the first writes */
static void
wait_for_agreement(Look *look)
{
	char	   *version;

	for (int i = 0; i < AGREEMENT_TRIES; i++)
	{
		if (is_one_version(look, &version) == 1)
			return;
		wait_a_turn(look, AGREEMENT_PAUSE_MS);
	}
}

static char *
create_table_text(const UsMirrorPlan *plan)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "CREATE TABLE IF NOT EXISTS %s (", plan->table);
	for (int i = 0; i < plan->ncolumns; i++)
		appendStringInfo(&text, "%s %s, ", us_mirror_cql_name(plan->columns[i].cql_name),
						 plan->columns[i].cql_type);
	appendStringInfoString(&text, "PRIMARY KEY (");
	for (int i = 0; i < plan->nkeys; i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "",
						 us_mirror_cql_name(plan->columns[plan->keys[i]].cql_name));
	appendStringInfoString(&text, "))");
	return text.data;
}

static bool
create_table(Look *look)
{
	const UsMirror *mirror = look->mirror;
	const UsMirrorPlan *plan = look->plan;

	if (plan->columns[plan->keys[0]].copied)
		set_trouble(look, "table_missing",
					psprintf("table %s does not exist in Cassandra any more", plan->table),
					resync_advice(look));
	else if (!mirror->create_table)
		set_trouble(look, "table_missing",
					psprintf("table %s does not exist in Cassandra", plan->table),
					resume_advice(look, "Make it"));
	if (look->trouble->kind != NULL)
		return false;
	if (!change_schema(look, psprintf("CREATE KEYSPACE IF NOT EXISTS %s WITH replication = %s",
									  us_mirror_cql_name(mirror->keyspace),
									  us_mirror_replication(mirror->options))) ||
		!change_schema(look, create_table_text(plan)))
		return false;
	wait_for_agreement(look);
	return read_columns(look);
}

static const TableColumn *
find_column(const Look *look, const char *name)
{
	for (int i = 0; i < look->ncolumns; i++)
		if (strcmp(look->columns[i].name, name) == 0)
			return &look->columns[i];
	return NULL;
}

/* false: begin anew, or there is trouble */
static bool
add_missing_columns(Look *look)
{
	bool		any = false;

	for (int i = 0; i < look->plan->ncolumns; i++)
	{
		const UsMirrorColumn *column = &look->plan->columns[i];

		if (find_column(look, column->cql_name) != NULL)
			continue;
		/* made again it would be empty, while rows have values for it */
		if (column->copied)
		{
			set_trouble(look, "column_missing",
						psprintf("table %s in Cassandra has no column \"%s\" any more",
								 look->plan->table, column->cql_name),
						psprintf("%s Or leave column \"%s\" out with userstream.alter_mirror.",
								 resync_advice(look), column->name));
			return false;
		}
		if (!look->mirror->create_table || column->key >= 0)
		{
			set_trouble(look, "column_missing",
						psprintf("table %s in Cassandra has no column \"%s\" for column \"%s\"",
								 look->plan->table, column->cql_name, column->name),
						resume_advice(look, "Add it, or leave it out with userstream.alter_mirror"));
			return false;
		}
		if (!change_schema(look, psprintf("ALTER TABLE %s ADD %s %s", look->plan->table,
										  us_mirror_cql_name(column->cql_name),
										  column->cql_type)))
			return false;
		any = true;
	}
	if (any)
		wait_for_agreement(look);
	return !any || read_columns(look);
}

/* a row of the table must be a row in Cassandra: no more, no fewer columns in its key */
static bool
check_key(Look *look)
{
	int			nkeys = 0;

	for (int i = 0; i < look->ncolumns; i++)
	{
		const TableColumn *column = &look->columns[i];
		bool		key = strcmp(column->kind, "partition_key") == 0 ||
			strcmp(column->kind, "clustering") == 0;
		bool		ours = false;

		for (int k = 0; k < look->plan->nkeys; k++)
			ours |= strcmp(look->plan->columns[look->plan->keys[k]].cql_name, column->name) == 0;
		if (key)
			nkeys++;
		if (key == ours)
			continue;
		set_trouble(look, "key_differs",
					psprintf("column \"%s\" is %s of the primary key in Cassandra, but %s in PostgreSQL",
							 column->name, key ? "part" : "not part", ours ? "is" : "is not"),
					resume_advice(look, "Give both tables the same key"));
		return false;
	}
	return nkeys == look->plan->nkeys;
}

/*
 * Types as the server says them, against those of the table.
 *
 * A change of the schema that is under way, by a worker before us or by anyone,
 * shows in system_schema before statements know of it: a refusal counts when it
 * stays.
 */
static bool
check_types(Look *look)
{
	UsMirrorPlan *plan = look->plan;
	char	   *error;
	UsCqlStatement *statement = ask_prepare(look, plan->insert, &error);

	if (statement != NULL)
	{
		if (statement->markers.ncolumns != plan->ncolumns)
			return false;
		us_mirror_plan_set_types(plan, &statement->markers);
		return true;
	}
	if (error != NULL && ++look->refusals >= AGREEMENT_TRIES)
		set_trouble(look, "statement_refused",
					psprintf("Cassandra refused \"%s\": %s", plan->insert, error),
					resume_advice(look, "Mend the cause"));
	return false;
}

char *
us_mirror_table_id_query(const UsMirror *mirror)
{
	return psprintf("SELECT id FROM system_schema.tables"
					" WHERE keyspace_name = '%s' AND table_name = '%s'",
					mirror->keyspace, mirror->table_name);
}

char *
us_mirror_table_id(UsCqlResponse *response)
{
	UsCqlBytes	cell;
	StringInfoData id;

	if (response->nrows == 0 || us_cql_next_row(response, &cell) != US_CQL_OK || cell.data == NULL)
		return NULL;
	initStringInfo(&id);
	for (size_t i = 0; i < cell.len; i++)
		appendStringInfo(&id, "%02x", cell.data[i]);
	return id.data;
}

/* whether it is the table that the rows were copied to; false: begin anew, or there is trouble */
static bool
check_id(Look *look)
{
	UsMirrorPlan *plan = look->plan;
	UsCqlResponse *response = ask_rows(look, us_mirror_table_id_query(look->mirror), 1);

	if (response == NULL)
		return false;
	plan->table_id = us_mirror_table_id(response);
	if (plan->copied_to == NULL || plan->table_id == NULL ||
		strcmp(plan->copied_to, plan->table_id) == 0)
		return true;
	set_trouble(look, "table_replaced",
				psprintf("table %s in Cassandra is not the one that the rows were copied to: it was dropped and made again",
						 plan->table),
				psprintf("SELECT userstream.resync_mirror(%s) copies all rows anew; userstream.resume_mirror goes on with the table as it is.",
						 quote_literal_cstr(look->mirror->name)));
	return false;
}

static bool
look_once(Look *look)
{
	if (!read_columns(look))
		return false;
	if (look->ncolumns == 0 && !create_table(look))
		return false;
	return check_id(look) && add_missing_columns(look) && check_key(look) && check_types(look);
}

void
us_mirror_table_open(const UsMirror *mirror, UsMirrorPlan *plan, UsCassandra *link,
					 void (*turn) (void *arg), void *arg, UsMirrorTrouble *trouble)
{
	Look		look = {
		.mirror = mirror,
		.plan = plan,
		.link = link,
		.turn = turn,
		.turn_arg = arg,
		.trouble = trouble
	};

	memset(trouble, 0, sizeof(*trouble));
	while (!look_once(&look) && trouble->kind == NULL)
		wait_a_turn(&look, AGREEMENT_PAUSE_MS);
	if (look.reported != NULL)
		us_slot_report_recovered();
}
