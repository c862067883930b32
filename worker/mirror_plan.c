/*-------------------------------------------------------------------------
 * worker/mirror_plan.c
 *    which columns go where: a table's rows -> the values of CQL statements
 *
 * Runs in mirror workers.  Columns meet by their names: partitions have
 * theirs in another order, and ALTER TABLE moves them between two changes.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_index.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "worker/mirror_plan.h"

char *
us_mirror_cql_name(const char *name)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoChar(&text, '"');
	for (; *name != '\0'; name++)
	{
		if (*name == '"')
			appendStringInfoChar(&text, '"');
		appendStringInfoChar(&text, *name);
	}
	appendStringInfoChar(&text, '"');
	return text.data;
}

/* places in the primary key by attribute number; returns how many it has, 0 = there is none */
static int
read_key(Relation relation, int *places)
{
	HeapTuple	tuple;
	Form_pg_index index;
	int			nkeys;

	list_free(RelationGetIndexList(relation));
	if (!OidIsValid(relation->rd_pkindex))
		return 0;
	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(relation->rd_pkindex));
	if (!HeapTupleIsValid(tuple))
		return 0;
	index = (Form_pg_index) GETSTRUCT(tuple);
	nkeys = index->indnkeyatts;
	for (int i = 0; i < nkeys; i++)
		places[index->indkey.values[i]] = i;
	ReleaseSysCache(tuple);
	return nkeys;
}

/* generated columns are not in the changes */
static void
add_columns(UsMirrorPlan *plan, const UsMirror *mirror, TupleDesc desc, const int *places)
{
	plan->columns = palloc0(sizeof(UsMirrorColumn) * Max(desc->natts, 1));
	plan->keys = palloc0(sizeof(int) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		UsMirrorColumn *column = &plan->columns[plan->ncolumns];
		char	   *cql_name;

		if (attribute->attisdropped || attribute->attgenerated != '\0')
			continue;
		cql_name = us_mirror_column_name(mirror->columns, NameStr(attribute->attname));
		if (cql_name == NULL)
			continue;
		column->name = pstrdup(NameStr(attribute->attname));
		column->cql_name = cql_name;
		column->type = attribute->atttypid;
		column->cql_type = us_mirror_value_cql_type(attribute->atttypid);
		column->key = places[attribute->attnum];
		if (column->key >= 0)
		{
			plan->keys[column->key] = plan->ncolumns;
			plan->nkeys++;
		}
		plan->ncolumns++;
	}
}

static void
make_statements(UsMirrorPlan *plan, const UsMirror *mirror)
{
	StringInfoData insert;
	StringInfoData delete;

	plan->table = psprintf("%s.%s", us_mirror_cql_name(mirror->keyspace),
						   us_mirror_cql_name(mirror->table_name));
	initStringInfo(&insert);
	appendStringInfo(&insert, "INSERT INTO %s (", plan->table);
	for (int i = 0; i < plan->ncolumns; i++)
		appendStringInfo(&insert, "%s%s", i > 0 ? ", " : "",
						 us_mirror_cql_name(plan->columns[i].cql_name));
	appendStringInfoString(&insert, ") VALUES (");
	for (int i = 0; i < plan->ncolumns; i++)
		appendStringInfoString(&insert, i > 0 ? ", ?" : "?");
	appendStringInfoChar(&insert, ')');
	initStringInfo(&delete);
	appendStringInfo(&delete, "DELETE FROM %s WHERE ", plan->table);
	for (int i = 0; i < plan->nkeys; i++)
		appendStringInfo(&delete, "%s%s = ?", i > 0 ? " AND " : "",
						 us_mirror_cql_name(plan->columns[plan->keys[i]].cql_name));
	plan->insert = insert.data;
	plan->delete = delete.data;
}

UsMirrorPlan *
us_mirror_plan_create(const UsMirror *mirror)
{
	Relation	relation = try_relation_open(mirror->target_oid, AccessShareLock);
	UsMirrorPlan *plan = palloc0(sizeof(UsMirrorPlan));
	int		   *places;
	int			nkeys;

	if (relation == NULL)
		return NULL;
	plan->context = CurrentMemoryContext;
	places = palloc(sizeof(int) * (RelationGetNumberOfAttributes(relation) + 1));
	for (int i = 0; i <= RelationGetNumberOfAttributes(relation); i++)
		places[i] = -1;
	nkeys = read_key(relation, places);
	if (nkeys > 0)
	{
		add_columns(plan, mirror, RelationGetDescr(relation), places);
		make_statements(plan, mirror);
	}
	relation_close(relation, AccessShareLock);
	/* a generated column of the key is in no change */
	return nkeys > 0 && plan->nkeys == nkeys ? plan : NULL;
}

static UsCqlBytes
copy_bytes(UsCqlBytes bytes)
{
	UsCqlBytes	copy = bytes;

	if (bytes.data != NULL)
		copy.data = memcpy(palloc(bytes.len + 1), bytes.data, bytes.len);
	return copy;
}

static void
copy_type(const UsCqlType *type, UsCqlType *copy)
{
	*copy = *type;
	copy->name = copy_bytes(type->name);
	copy->keyspace = copy_bytes(type->keyspace);
	copy->parts = palloc0(sizeof(UsCqlType) * Max(type->nparts, 1));
	for (int i = 0; i < type->nparts; i++)
		copy_type(&type->parts[i], &copy->parts[i]);
	if (type->fields == NULL)
		return;
	copy->fields = palloc(sizeof(UsCqlBytes) * Max(type->nparts, 1));
	for (int i = 0; i < type->nparts; i++)
		copy->fields[i] = copy_bytes(type->fields[i]);
}

void
us_mirror_plan_set_types(UsMirrorPlan *plan, const UsCqlColumns *markers)
{
	MemoryContext old = MemoryContextSwitchTo(plan->context);

	Assert(markers->ncolumns == plan->ncolumns);
	for (int i = 0; i < plan->ncolumns; i++)
	{
		plan->columns[i].cql = palloc(sizeof(UsCqlType));
		copy_type(&markers->columns[i].type, plan->columns[i].cql);
	}
	MemoryContextSwitchTo(old);
}

bool
us_mirror_plan_has_types(const UsMirrorPlan *plan, const UsCqlColumns *markers)
{
	if (markers->ncolumns != plan->ncolumns)
		return false;
	for (int i = 0; i < plan->ncolumns; i++)
		if (!us_cql_same_type(plan->columns[i].cql, &markers->columns[i].type))
			return false;
	return true;
}

UsMirrorShape *
us_mirror_shape_compile(const UsMirrorPlan *plan, int ncolumns, char *const *names,
						const Oid *types, int *wrong)
{
	UsMirrorShape *shape = palloc0(sizeof(UsMirrorShape));

	*wrong = -1;
	shape->nsources = ncolumns;
	shape->names = palloc(sizeof(char *) * Max(ncolumns, 1));
	shape->types = palloc(sizeof(Oid) * Max(ncolumns, 1));
	for (int i = 0; i < ncolumns; i++)
	{
		shape->names[i] = pstrdup(names[i]);
		shape->types[i] = types[i];
	}
	shape->sources = palloc(sizeof(int) * Max(plan->ncolumns, 1));
	shape->values = palloc0(sizeof(UsMirrorValue) * Max(plan->ncolumns, 1));
	for (int c = 0; c < plan->ncolumns; c++)
	{
		shape->sources[c] = -1;
		for (int i = 0; i < ncolumns; i++)
			if (strcmp(plan->columns[c].name, names[i]) == 0)
				shape->sources[c] = i;
		if (shape->sources[c] >= 0 && *wrong < 0 &&
			!us_mirror_value_compile(types[shape->sources[c]], plan->columns[c].cql,
									 &shape->values[c]))
			*wrong = c;
	}
	return shape;
}

UsMirrorShape *
us_mirror_plan_shape(const UsMirrorPlan *plan, int *wrong)
{
	char	  **names = palloc(sizeof(char *) * Max(plan->ncolumns, 1));
	Oid		   *types = palloc(sizeof(Oid) * Max(plan->ncolumns, 1));

	for (int c = 0; c < plan->ncolumns; c++)
	{
		names[c] = plan->columns[c].name;
		types[c] = plan->columns[c].type;
	}
	return us_mirror_shape_compile(plan, plan->ncolumns, names, types, wrong);
}

char *
us_mirror_type_error(const UsMirrorPlan *plan, int column, Oid type)
{
	const UsMirrorColumn *wrong = &plan->columns[column];
	UsCqlWriter name;
	char	   *text;

	us_cql_writer_init(&name, NULL, 0);
	us_cql_put_type_name(&name, wrong->cql);
	text = psprintf("column \"%s\" of type %s cannot go into column \"%s\" of type %.*s in Cassandra",
					wrong->name, format_type_be(type), wrong->cql_name, (int) name.len,
					(const char *) name.data);
	us_cql_writer_free(&name);
	return text;
}

/*
 * The row that has a column's value.  What is stored out of line and did not
 * change is not repeated in the new row; the old one has it when it is of the
 * key, or when old rows are whole.
 */
static const LogicalRepTupleData *
find_source(const UsMirrorRow *row, int source, bool key)
{
	bool		wanted = key || (row->whole && row->change == US_ROW_MOVED);

	if (row->old != NULL && wanted && row->new->colstatus[source] == LOGICALREP_COLUMN_UNCHANGED)
		return row->old;
	return row->new;
}

/* the cell of a row that is there already */
static bool
was_null(const UsMirrorRow *row, int source)
{
	return row->whole && row->old->colstatus[source] == LOGICALREP_COLUMN_NULL;
}

static bool
put_column(const UsMirrorPlan *plan, const UsMirrorShape *shape, int c, const UsMirrorRow *row,
		   UsCqlWriter *writer, bool *missing)
{
	int			source = shape->sources[c];
	bool		key = plan->columns[c].key >= 0;
	const LogicalRepTupleData *from;
	StringInfo	value;

	if (source < 0 || source >= row->new->ncols)
	{
		us_cql_put_unset(writer);
		return !key;
	}
	from = find_source(row, source, key);
	value = &from->colvalues[source];
	switch (from->colstatus[source])
	{
		case LOGICALREP_COLUMN_NULL:
			if (row->change == US_ROW_UPDATED && !was_null(row, source))
				us_cql_put_null(writer);
			else
				us_cql_put_unset(writer);
			return !key;
		case LOGICALREP_COLUMN_UNCHANGED:
			us_cql_put_unset(writer);
			*missing = true;
			return !key;
		default:
			us_mirror_value_put(&shape->values[c],
								from->colstatus[source] == LOGICALREP_COLUMN_BINARY,
								value->data, value->len, writer);
			return writer->status == US_CQL_OK;
	}
}

int
us_mirror_row_put(const UsMirrorPlan *plan, const UsMirrorShape *shape, const UsMirrorRow *row,
				  UsCqlWriter *writer, bool *missing)
{
	*missing = false;
	for (int c = 0; c < plan->ncolumns; c++)
		if (!put_column(plan, shape, c, row, writer, missing))
			return c;
	return -1;
}

int
us_mirror_key_put(const UsMirrorPlan *plan, const UsMirrorShape *shape, const UsMirrorRow *row,
				  UsCqlWriter *writer)
{
	bool		missing;

	for (int i = 0; i < plan->nkeys; i++)
		if (!put_column(plan, shape, plan->keys[i], row, writer, &missing))
			return plan->keys[i];
	return -1;
}

static char *
value_text(const UsMirrorShape *shape, const LogicalRepTupleData *row, int source)
{
	return us_mirror_value_text(shape->types[source],
								row->colstatus[source] == LOGICALREP_COLUMN_BINARY,
								row->colvalues[source].data, row->colvalues[source].len);
}

char **
us_mirror_key_texts(const UsMirrorPlan *plan, const UsMirrorShape *shape, const UsMirrorRow *row)
{
	char	  **texts = palloc(sizeof(char *) * plan->nkeys);

	for (int i = 0; i < plan->nkeys; i++)
	{
		int			source = shape->sources[plan->keys[i]];

		texts[i] = value_text(shape, find_source(row, source, true), source);
	}
	return texts;
}

char *
us_mirror_row_json(const UsMirrorPlan *plan, const UsMirrorShape *shape,
				   const LogicalRepTupleData *row, bool key_only)
{
	StringInfoData json;
	const char *comma = "";

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < (key_only ? plan->nkeys : plan->ncolumns); i++)
	{
		int			c = key_only ? plan->keys[i] : i;
		int			source = shape->sources[c];

		if (source < 0 || source >= row->ncols ||
			row->colstatus[source] == LOGICALREP_COLUMN_UNCHANGED)
			continue;
		appendStringInfoString(&json, comma);
		comma = ", ";
		escape_json(&json, plan->columns[c].cql_name);
		appendStringInfoString(&json, ": ");
		if (row->colstatus[source] == LOGICALREP_COLUMN_NULL)
			appendStringInfoString(&json, "null");
		else
			escape_json(&json, value_text(shape, row, source));
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

static void
put_value_text(StringInfo json, const UsCqlType *type, UsCqlBytes bytes)
{
	UsCqlWriter text;

	us_cql_writer_init(&text, NULL, 0);
	if (us_cql_put_text(&text, type, bytes) && text.status == US_CQL_OK)
		escape_json(json, pnstrdup((char *) text.data, text.len));
	else
		appendStringInfoString(json, "null");
	us_cql_writer_free(&text);
}

/* a value of a statement; bytes without data are null */
typedef struct SentValue
{
	bool		set;
	UsCqlBytes	bytes;
} SentValue;

/* by column of the plan */
static SentValue *
read_values(const UsMirrorPlan *plan, bool delete, const uint8_t *values, size_t len)
{
	SentValue  *sent = palloc0(sizeof(SentValue) * plan->ncolumns);
	UsCqlReader reader;

	us_cql_reader_init(&reader, values, len);
	for (int i = 0; i < (delete ? plan->nkeys : plan->ncolumns); i++)
	{
		SentValue  *value = &sent[delete ? plan->keys[i] : i];
		int32_t		size = us_cql_get_i32(&reader);

		if (size >= 0)
		{
			value->bytes.data = us_cql_take(&reader, (size_t) size);
			value->bytes.len = (size_t) size;
		}
		/* -2 is unset */
		value->set = !reader.failed && size != -2;
	}
	return sent;
}

char *
us_mirror_values_json(const UsMirrorPlan *plan, bool delete, const uint8_t *values, size_t len,
					  bool key_only)
{
	StringInfoData json;
	SentValue  *sent = read_values(plan, delete, values, len);
	const char *comma = "";

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < (key_only ? plan->nkeys : plan->ncolumns); i++)
	{
		int			c = key_only ? plan->keys[i] : i;

		if (!sent[c].set)
			continue;
		appendStringInfoString(&json, comma);
		comma = ", ";
		escape_json(&json, plan->columns[c].cql_name);
		appendStringInfoString(&json, ": ");
		if (sent[c].bytes.data == NULL)
			appendStringInfoString(&json, "null");
		else
			put_value_text(&json, plan->columns[c].cql, sent[c].bytes);
	}
	appendStringInfoChar(&json, '}');
	pfree(sent);
	return json.data;
}
