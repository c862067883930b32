/*-------------------------------------------------------------------------
 * worker/mirror_table.h
 *    the table in Cassandra: made, looked at, and compared with the plan
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_TABLE_H
#define US_MIRROR_TABLE_H

#include "worker/cassandra.h"
#include "worker/mirror_plan.h"

/* why a mirror cannot go on; palloc'd; kind NULL = it can */
typedef struct UsMirrorTrouble
{
	const char *kind;			/* of the incident */
	char	   *detail;
	char	   *what_to_do;
} UsMirrorTrouble;

/*
 * us_mirror_table_open -- wait for Cassandra, and see that the rows fit
 *
 * Makes keyspace and table when the mirror begins, and columns that are
 * missing, if the definition says so.  Takes the types of the columns into
 * plan.  Calls turn while it waits.  Serves interrupts; ends the process when
 * the supervisor asks for it.
 * Needs:   no transaction
 */
extern void us_mirror_table_open(const UsMirror *mirror, UsMirrorPlan *plan, UsCassandra *link,
								 void (*turn) (void *arg), void *arg, UsMirrorTrouble *trouble);

/*
 * us_mirror_table_id_query -- what to ask for the id of the table in Cassandra, palloc'd
 * us_mirror_table_id -- the id as text, of its answer; NULL = there is none
 *
 * A table that is dropped and made again has another id, while statements that
 * were prepared for the first one are good for the second.
 */
extern char *us_mirror_table_id_query(const UsMirror *mirror);
extern char *us_mirror_table_id(UsCqlResponse *response);

#endif							/* US_MIRROR_TABLE_H */
