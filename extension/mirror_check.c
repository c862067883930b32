/*-------------------------------------------------------------------------
 * extension/mirror_check.c
 *    whether a mirror can be: words, server, owner and table
 *
 * Runs in the caller's backend; the worker asks for part of it again.  What
 * only Cassandra knows (types, keys) is checked by the worker at its start:
 * a mirror may be made while Cassandra is away.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_publication.h"
#include "commands/extension.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "extension/compat.h"
#include "extension/mirror.h"
#include "extension/options.h"
#include "miscadmin.h"
#include "replication/slot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#define MAX_CQL_NAME	48		/* Cassandra's own limit for keyspaces and tables */

pg_noreturn static void refuse_target(Oid relid, const char *detail, const char *hint);

static void
check_cql_name(const char *what, const char *name)
{
	size_t		length = strlen(name);

	if (length > 0 && length <= MAX_CQL_NAME &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == length)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("invalid %s \"%s\"", what, name),
			 errhint("Cassandra takes 1 to %d letters, digits and underscores; capital letters count.",
					 MAX_CQL_NAME)));
}

static JsonbValue *
find_option(Jsonb *options, const char *name, JsonbValue *buffer)
{
	if (options == NULL || !JB_ROOT_IS_OBJECT(options))
		return NULL;
	return getKeyJsonValueFromContainer(&options->root, name, strlen(name), buffer);
}

/* '...' with quotes doubled, as CQL has it too */
static void
put_literal(StringInfo buffer, const char *text, int len)
{
	appendStringInfoChar(buffer, '\'');
	for (int i = 0; i < len; i++)
	{
		if (text[i] == '\'')
			appendStringInfoChar(buffer, '\'');
		appendStringInfoChar(buffer, text[i]);
	}
	appendStringInfoChar(buffer, '\'');
}

static void
refuse_replication(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"replication\""),
			 errhint("Write it as in CREATE KEYSPACE: {\"class\": \"NetworkTopologyStrategy\", \"dc1\": 3}.")));
}

char *
us_mirror_replication(Jsonb *options)
{
	StringInfoData text;
	JsonbValue	buffer;
	JsonbValue *found = find_option(options, "replication", &buffer);
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;

	if (found == NULL || found->type == jbvNull)
		return pstrdup("{'class': 'SimpleStrategy', 'replication_factor': 1}");
	if (found->type != jbvBinary || !JsonContainerIsObject(found->val.binary.data))
		refuse_replication();
	initStringInfo(&text);
	iterator = JsonbIteratorInit(found->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			appendStringInfoString(&text, text.len == 0 ? "{" : ", ");
			put_literal(&text, value.val.string.val, value.val.string.len);
		}
		else if (token == WJB_VALUE && value.type == jbvString)
		{
			appendStringInfoString(&text, ": ");
			put_literal(&text, value.val.string.val, value.val.string.len);
		}
		else if (token == WJB_VALUE && value.type == jbvNumeric)
		{
			Datum		number = NumericGetDatum(value.val.numeric);

			appendStringInfo(&text, ": %s",
							 DatumGetCString(DirectFunctionCall1(numeric_out, number)));
		}
		else if (token == WJB_VALUE)
			refuse_replication();
	}
	if (text.len == 0)
		refuse_replication();
	appendStringInfoChar(&text, '}');
	return text.data;
}

static void
check_options(Jsonb *options)
{
	static const char *const words[] = {"replication", NULL};
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;

	if (options == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options must be a JSON object"),
				 errhint("Write them as {\"replication\": {\"class\": \"SimpleStrategy\", \"replication_factor\": 1}}.")));
	iterator = JsonbIteratorInit(&options->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		char	   *name;
		const char *nearest;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(value.val.string.val, value.val.string.len);
		if (strcmp(name, words[0]) == 0)
			continue;
		nearest = us_nearest_word(name, words);
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"", name),
				 nearest != NULL ? errhint("Perhaps you meant the option \"%s\".", nearest) :
				 errhint("A mirror takes replication.")));
	}
	(void) us_mirror_replication(options);
}

void
us_mirror_check_words(const char *keyspace, const char *table_name, Jsonb *options)
{
	check_cql_name("keyspace", keyspace);
	check_cql_name("table", table_name);
	check_options(options);
}

void
us_mirror_check_server(void)
{
	int			used = 0;

	if (wal_level < WAL_LEVEL_LOGICAL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a mirror needs wal_level = logical"),
				 errdetail("It reads the changes of the table from the WAL."),
				 errhint("ALTER SYSTEM SET wal_level = logical, and restart the server.")));

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	for (int i = 0; i < max_replication_slots; i++)
		if (ReplicationSlotCtl->replication_slots[i].in_use)
			used++;
	LWLockRelease(ReplicationSlotControlLock);
	if (used >= max_replication_slots)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("all replication slots are in use"),
				 errdetail("A mirror needs one of the %d that there are.", max_replication_slots),
				 errhint("Raise max_replication_slots, and restart the server.")));
}

bool
us_mirror_may_replicate(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_authid form = (Form_pg_authid) GETSTRUCT(tuple);

		result = form->rolsuper || form->rolreplication;
		ReleaseSysCache(tuple);
	}
	return result;
}

bool
us_mirror_owns(Oid role, Oid target)
{
	return us_class_ownercheck(target, role);
}

void
us_mirror_check_owner(Oid owner, Oid target)
{
	char	   *name = GetUserNameFromId(owner, false);
	char	   *database = get_database_name(MyDatabaseId);

	if (!us_mirror_owns(owner, target))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", get_rel_name(target)),
				 errdetail("A mirror publishes the table, and only its owner may."),
				 errhint("Have the owner of the table call this.")));
	if (us_database_aclcheck(MyDatabaseId, owner, ACL_CREATE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for database %s", database),
				 errdetail("A mirror makes a publication, and that needs CREATE on the database."),
				 errhint("GRANT CREATE ON DATABASE %s TO %s allows it.",
						 quote_identifier(database), quote_identifier(name))));
	if (!us_mirror_may_replicate(owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser or replication role to have a mirror"),
				 errdetail("Its replication slot can keep any amount of WAL on the server's disk."),
				 errhint("ALTER ROLE %s REPLICATION allows it.", quote_identifier(name))));
}

static void
refuse_target(Oid relid, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("cannot mirror \"%s\"", get_rel_name(relid)),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

static void
check_identity(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	char		identity = relation->rd_rel->relreplident;
	Oid			key;

	/* fills in rd_pkindex */
	list_free(RelationGetIndexList(relation));
	key = relation->rd_pkindex;
	if (!OidIsValid(key))
		refuse_target(relid, "It has no primary key, so its rows cannot be found in Cassandra.",
					  "ALTER TABLE ... ADD PRIMARY KEY gives it one.");
	if (identity == REPLICA_IDENTITY_DEFAULT || identity == REPLICA_IDENTITY_FULL ||
		(identity == REPLICA_IDENTITY_INDEX && relation->rd_replidindex == key))
		return;
	refuse_target(relid, "Its replica identity is not its primary key, so deleted rows do not tell their key.",
				  psprintf("ALTER TABLE %s REPLICA IDENTITY DEFAULT makes it so.",
						   us_qualified_name(relid)));
}

static void
check_table(Oid relid)
{
	Relation	relation = try_relation_open(relid, AccessShareLock);
	char		kind;

	if (relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid),
				 errhint("Create the table before the mirror.")));
	kind = relation->rd_rel->relkind;
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		refuse_target(relid, "It is not a table.",
					  "A mirror copies a permanent, logged, ordinary or partitioned table.");
	if (relation->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		refuse_target(relid, "Changes of unlogged and temporary tables are not in the WAL.",
					  psprintf("ALTER TABLE %s SET LOGGED makes an unlogged one a logged one.",
							   us_qualified_name(relid)));
	if (relid < FirstNormalObjectId ||
		RelationGetNamespace(relation) == get_namespace_oid("userstream", true))
		refuse_target(relid, "It belongs to PostgreSQL or to this extension.",
					  "A mirror copies tables of users.");
	check_identity(relation);
	relation_close(relation, NoLock);
}

char *
us_mirror_column_name(Jsonb *columns, const char *column)
{
	JsonbValue	buffer;
	JsonbValue *value = find_option(columns, column, &buffer);

	if (value == NULL)
		return pstrdup(column);
	if (value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* names a column that there is, and gives it a name that Cassandra can have */
static void
check_column(Oid target, Jsonb *columns, const char *column)
{
	AttrNumber	attnum = get_attnum(target, column);
	JsonbValue	buffer;
	JsonbValue *value = find_option(columns, column, &buffer);

	if (attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of \"%s\" does not exist", column, get_rel_name(target)),
				 errhint("Argument \"columns\" names columns of the table: {\"column\": \"name in Cassandra\"}.")));
	if (value->type == jbvNull || (value->type == jbvString && value->val.string.len > 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid name of column \"%s\" in Cassandra", column),
			 errhint("Give it a name, or null to leave the column out.")));
}

static void
check_columns(Oid target, Jsonb *columns)
{
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;

	if (columns == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(columns))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("columns must be a JSON object"),
				 errhint("Write them as {\"column\": \"name in Cassandra\", \"another\": null}.")));
	iterator = JsonbIteratorInit(&columns->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
		if (token == WJB_KEY)
			check_column(target, columns, pnstrdup(value.val.string.val, value.val.string.len));
}

/* a name in Cassandra is of one column; names are those that "columns" gives, and the others' own */
static void
check_names(Oid target, Jsonb *columns)
{
	Relation	relation = relation_open(target, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	char	  **names = palloc0(sizeof(char *) * desc->natts);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped || column->attgenerated != '\0')
			continue;
		names[i] = us_mirror_column_name(columns, NameStr(column->attname));
		for (int j = 0; j < i && names[i] != NULL; j++)
			if (names[j] != NULL && strcmp(names[i], names[j]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("columns \"%s\" and \"%s\" have one name in Cassandra, \"%s\"",
								NameStr(TupleDescAttr(desc, j)->attname), NameStr(column->attname),
								names[i]),
						 errhint("Give each a name of its own, or null to leave one out.")));
	}
	relation_close(relation, AccessShareLock);
}

/* the key identifies the rows in Cassandra too, so no column of it may be left out */
static void
check_key_columns(Oid target, Jsonb *columns)
{
	Relation	relation = relation_open(target, AccessShareLock);
	Bitmapset  *key = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	int			at = -1;

	while ((at = bms_next_member(key, at)) >= 0)
	{
		AttrNumber	attnum = at + FirstLowInvalidHeapAttributeNumber;
		char	   *name = get_attname(target, attnum, false);

		if (TupleDescAttr(RelationGetDescr(relation), attnum - 1)->attgenerated != '\0')
			refuse_target(target,
						  psprintf("Column \"%s\" of its primary key is generated, and changes do not tell generated columns.",
								   name),
						  "Give it a primary key of other columns.");
		if (us_mirror_column_name(columns, name) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" cannot be left out", name),
					 errdetail("It belongs to the primary key, which finds the rows in Cassandra.")));
	}
	relation_close(relation, AccessShareLock);
}

void
us_mirror_check_target(Oid target, Jsonb *columns)
{
	List	   *tables;
	ListCell   *cell;

	check_table(target);
	if (get_rel_relkind(target) == RELKIND_PARTITIONED_TABLE)
	{
		/* a change carries the identity of its partition */
		tables = find_all_inheritors(target, AccessShareLock, NULL);
		foreach(cell, tables)
			check_table(lfirst_oid(cell));
	}
	check_columns(target, columns);
	check_names(target, columns);
	check_key_columns(target, columns);
}

static void
run_utility(const char *text)
{
	SPI_connect();
	if (SPI_execute(text, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run \"%s\"", text);
	SPI_finish();
}

static Oid
publication_oid(const char *name)
{
	return GetSysCacheOid1(PUBLICATIONNAME, Anum_pg_publication_oid, CStringGetDatum(name));
}

void
us_mirror_publish(int64 mirror, Oid target)
{
	char		name[US_MIRROR_NAME_LEN];
	ObjectAddress publication;
	ObjectAddress extension;

	us_mirror_publication_name(mirror, name);
	run_utility(psprintf("CREATE PUBLICATION %s FOR TABLE %s%s WITH (publish_via_partition_root = true)",
						 name,
						 get_rel_relkind(target) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
						 us_qualified_name(target)));
	/* DROP EXTENSION takes it along, and pg_dump has it still */
	ObjectAddressSet(publication, PublicationRelationId, publication_oid(name));
	ObjectAddressSet(extension, ExtensionRelationId, get_extension_oid("userstream", false));
	recordDependencyOn(&publication, &extension, DEPENDENCY_AUTO_EXTENSION);
}

bool
us_mirror_is_published(int64 mirror)
{
	char		name[US_MIRROR_NAME_LEN];

	us_mirror_publication_name(mirror, name);
	return OidIsValid(publication_oid(name));
}

void
us_mirror_give_publication(int64 mirror, Oid owner)
{
	char		name[US_MIRROR_NAME_LEN];

	us_mirror_publication_name(mirror, name);
	run_utility(psprintf("ALTER PUBLICATION %s OWNER TO %s", name,
						 quote_identifier(GetUserNameFromId(owner, false))));
}

void
us_mirror_unpublish(int64 mirror)
{
	char		name[US_MIRROR_NAME_LEN];

	us_mirror_publication_name(mirror, name);
	run_utility(psprintf("DROP PUBLICATION IF EXISTS %s", name));
}
