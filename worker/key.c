/*-------------------------------------------------------------------------
 * worker/key.c
 *    the columns by which upsert recognises a row of its target
 *
 * Called where a stream is defined and where its sink is compiled.  Two
 * messages are about one row exactly when the unique index says so, so
 * equality is taken from that index, never from the type's default.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_index.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "worker/key.h"

/* attribute numbers of the named columns */
static Bitmapset *
find_columns(Relation relation, char *const *names, int count)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < count; i++)
	{
		AttrNumber	attnum = get_attnum(RelationGetRelid(relation), names[i]);

		if (attnum <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" does not exist",
							names[i], RelationGetRelationName(relation)),
					 errdetail("It is named in key."),
					 errhint("Name columns of a unique constraint of the target.")));
		columns = bms_add_member(columns, attnum);
	}
	return columns;
}

/* the columns of an index that ON CONFLICT can use; NULL for any other */
static Bitmapset *
index_columns(Oid index, bool *is_primary)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Bitmapset  *columns = NULL;
	Form_pg_index form;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_index) GETSTRUCT(tuple);
	*is_primary = form->indisprimary;
	if (form->indisunique && form->indimmediate && form->indisvalid &&
		heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
		heap_attisnull(tuple, Anum_pg_index_indexprs, NULL))
	{
		for (int i = 0; i < form->indnkeyatts; i++)
			columns = bms_add_member(columns, form->indkey.values[i]);
	}
	ReleaseSysCache(tuple);
	return columns;
}

/* the unique index over just these columns, or the primary key's; InvalidOid = none */
static Oid
find_index(Relation relation, const Bitmapset *wanted)
{
	List	   *indexes = RelationGetIndexList(relation);
	Oid			found = InvalidOid;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		bool		is_primary = false;
		Bitmapset  *columns = index_columns(lfirst_oid(cell), &is_primary);

		if (columns != NULL && (wanted == NULL ? is_primary : bms_equal(columns, wanted)))
		{
			found = lfirst_oid(cell);
			break;
		}
	}
	list_free(indexes);
	return found;
}

static void
refuse_key(Relation relation, bool named)
{
	if (!named)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("table \"%s\" has no primary key", RelationGetRelationName(relation)),
				 errdetail("Mode upsert finds rows by a key."),
				 errhint("Add a primary key, or name the columns of a unique constraint: key => '{...}'.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
			 errmsg("table \"%s\" has no unique constraint on just these columns of key",
					RelationGetRelationName(relation)),
			 errdetail("Neither deferrable constraints nor partial indexes nor indexes on expressions count."),
			 errhint("Add one: ALTER TABLE %s ADD UNIQUE (...).",
					 quote_identifier(RelationGetRelationName(relation)))));
}

/* equality and hash of one column, as the index has them */
static void
take_column(UsKey *key, int place, Relation relation, Relation index, int column)
{
	Oid			type = index->rd_opcintype[column];
	Oid			operator = get_opfamily_member(index->rd_opfamily[column], type, type,
											   BTEqualStrategyNumber);
	RegProcedure left;
	RegProcedure right;

	key->attnums[place] = index->rd_index->indkey.values[column];
	if (!OidIsValid(operator) || !get_op_hash_functions(operator, &left, &right))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of type %s cannot be part of a key",
						get_attname(RelationGetRelid(relation), key->attnums[place], false),
						format_type_be(type)),
				 errdetail("The type has no hash function for its equality."),
				 errhint("Name a unique constraint on columns of other types: key => '{...}'.")));
	key->operators[place] = operator;
	key->collations[place] = index->rd_indcollation[column];
	fmgr_info(get_opcode(operator), &key->equal[place]);
	fmgr_info(left, &key->hash[place]);
}

UsKey *
us_key_find(Relation relation, char *const *names, int count)
{
	Bitmapset  *wanted = find_columns(relation, names, count);
	Oid			found = find_index(relation, wanted);
	UsKey	   *key = palloc0(sizeof(UsKey));
	Relation	index;
	int			attnum = -1;

	if (!OidIsValid(found))
		refuse_key(relation, count > 0);

	key->index = found;
	index = index_open(found, AccessShareLock);
	key->count = IndexRelationGetNumberOfKeyAttributes(index);
	key->attnums = palloc(sizeof(AttrNumber) * key->count);
	key->operators = palloc(sizeof(Oid) * key->count);
	key->equal = palloc(sizeof(FmgrInfo) * key->count);
	key->hash = palloc(sizeof(FmgrInfo) * key->count);
	key->collations = palloc(sizeof(Oid) * key->count);
	wanted = NULL;
	for (int i = 0; i < key->count; i++)
		wanted = bms_add_member(wanted, index->rd_index->indkey.values[i]);
	for (int place = 0; (attnum = bms_next_member(wanted, attnum)) >= 0; place++)
	{
		int			column = 0;

		while (index->rd_index->indkey.values[column] != attnum)
			column++;
		take_column(key, place, relation, index, column);
	}
	index_close(index, NoLock);
	return key;
}

bool
us_key_has(const UsKey *key, AttrNumber attnum)
{
	for (int i = 0; i < key->count; i++)
		if (key->attnums[i] == attnum)
			return true;
	return false;
}
