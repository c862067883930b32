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
	bool		copied;			/* it was in Cassandra when the mirror began last */
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
	char	   *table_id;		/* in Cassandra; NULL until it was looked at, or it has none */
	char	   *copied_to;		/* that of when the mirror began last; NULL = not known */
} UsMirrorPlan;

/* how rows of one shape are read: compiled anew when ALTER TABLE changes it */
typedef struct UsMirrorShape
{
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
 * Returns: NULL when the table is not there, has no primary key (any more), or one with a
 *          generated column
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

/* the same for rows that have the plan's columns, in their order */
extern UsMirrorShape *us_mirror_plan_shape(const UsMirrorPlan *plan, int *wrong);

/* an error text that names both types of a column */
extern char *us_mirror_type_error(const UsMirrorPlan *plan, int column, Oid type);

/* "name" as CQL quotes it; palloc'd */
extern char *us_mirror_cql_name(const char *name);

/* what a change makes of its row in Cassandra */
typedef enum UsRowChange
{
	US_ROW_NEW,					/* no cell of it is there: nulls are left unset */
	US_ROW_MOVED,				/* the same, but it was there by another key */
	US_ROW_UPDATED				/* cells may be there: nulls are sent, unchanged ones left unset */
} UsRowChange;

typedef struct UsMirrorRow
{
	UsRowChange change;
	const LogicalRepTupleData *new;
	const LogicalRepTupleData *old; /* NULL = the key did not change, or there is none */
	bool		whole;			/* old has all columns (replica identity FULL), else its key */
} UsMirrorRow;

/*
 * us_mirror_row_put -- the values of insert
 *
 * Out:     missing   a column's value is in neither row, although the new one has it
 * Returns: -1, or the column whose value its CQL type cannot hold
 */
extern int	us_mirror_row_put(const UsMirrorPlan *plan, const UsMirrorShape *shape,
							  const UsMirrorRow *row, UsCqlWriter *writer, bool *missing);

/* the values of delete, of the row's key; the same */
extern int	us_mirror_key_put(const UsMirrorPlan *plan, const UsMirrorShape *shape,
							  const UsMirrorRow *row, UsCqlWriter *writer);

/* its key as text, in the key's order */
extern char **us_mirror_key_texts(const UsMirrorPlan *plan, const UsMirrorShape *shape,
								  const UsMirrorRow *row);

/* the row, or its key alone in the key's order, as JSON text for a dead letter */
extern char *us_mirror_row_json(const UsMirrorPlan *plan, const UsMirrorShape *shape,
								const LogicalRepTupleData *row, bool key_only);

/* the same of values that were written for a statement */
extern char *us_mirror_values_json(const UsMirrorPlan *plan, bool delete, const uint8_t *values,
								   size_t len, bool key_only);

#endif							/* US_MIRROR_PLAN_H */
