/*-------------------------------------------------------------------------
 * worker/mirror_plan.h
 *    which columns go where: a table's rows -> the values of CQL statements
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_PLAN_H
#define US_MIRROR_PLAN_H

#include "extension/mirror.h"
#include "replication/logicalproto.h"
#include "worker/cql/response.h"
#include "worker/mirror_value.h"

typedef struct UsMirrorColumn
{
	char	   *name;			/* in the table */
	char	   *cql_name;		/* in Cassandra */
	Oid			type;			/* when the plan was made */
	const char *cql_type;		/* that create_table gives it */
	int			key;			/* place in the primary key, from 0; -1 = not of it */
	UsCqlType  *cql;			/* NULL until us_mirror_plan_set_types */
} UsMirrorColumn;

/* made at the worker's start; lives as long as it */
typedef struct UsMirrorPlan
{
	MemoryContext context;
	int			ncolumns;
	UsMirrorColumn *columns;	/* the bind markers of insert, in their order */
	int			nkeys;
	int		   *keys;			/* columns by their place in the key: markers of delete */
	char	   *table;			/* "keyspace"."table" */
	char	   *insert;
	char	   *delete;
} UsMirrorPlan;

/* how rows of one shape are read: compiled anew when ALTER TABLE changes it */
typedef struct UsMirrorShape
{
	bool		full;			/* old rows are whole (replica identity FULL) */
	int			nsources;		/* columns of the rows */
	char	  **names;
	Oid		   *types;
	int		   *sources;		/* by column of the plan: which one of the row; -1 = none */
	UsMirrorValue *values;		/* by column of the plan */
} UsMirrorShape;

/*
 * us_mirror_plan_create -- by the table's columns as they are now
 *
 * Needs:   transaction
 * Returns: NULL when the table is not there, or has no primary key (any more)
 */
extern UsMirrorPlan *us_mirror_plan_create(const UsMirror *mirror);

/* what the server said of the insert's markers is kept / is what was kept */
extern void us_mirror_plan_set_types(UsMirrorPlan *plan, const UsCqlColumns *markers);
extern bool us_mirror_plan_has_types(const UsMirrorPlan *plan, const UsCqlColumns *markers);

/*
 * us_mirror_shape_compile -- how rows with these columns become values
 *
 * Out:     wrong    a column of the plan whose type cannot become its CQL type; -1 = none
 * Needs:   transaction
 * What is made is in CurrentMemoryContext.
 */
extern UsMirrorShape *us_mirror_shape_compile(const UsMirrorPlan *plan, int ncolumns,
											  char *const *names, const Oid *types, int *wrong);

/* an error text that names both types of a column */
extern char *us_mirror_type_error(const UsMirrorPlan *plan, int column, Oid type);

/* "name" as CQL quotes it; palloc'd */
extern char *us_mirror_cql_name(const char *name);

/*
 * us_mirror_row_put -- the values of insert
 *
 * In:      old      NULL, or the old row: then columns that were null before are left unset
 *                   when they are null, and a key that is not in row is taken from it
 *          update   whether columns that are null become null in Cassandra (else unset)
 * Returns: -1, or the column whose value its CQL type cannot hold
 */
extern int	us_mirror_row_put(const UsMirrorPlan *plan, const UsMirrorShape *shape,
							  const LogicalRepTupleData *row, const LogicalRepTupleData *old,
							  bool update, UsCqlWriter *writer);

/* the values of delete; the same */
extern int	us_mirror_key_put(const UsMirrorPlan *plan, const UsMirrorShape *shape,
							  const LogicalRepTupleData *row, const LogicalRepTupleData *old,
							  UsCqlWriter *writer);

/* the row, or its key alone, as JSON text for a dead letter */
extern char *us_mirror_row_json(const UsMirrorPlan *plan, const UsMirrorShape *shape,
								const LogicalRepTupleData *row, bool key_only);

/* the same of values that were written for a statement */
extern char *us_mirror_values_json(const UsMirrorPlan *plan, bool delete, const uint8_t *values,
								   size_t len, bool key_only);

#endif							/* US_MIRROR_PLAN_H */
