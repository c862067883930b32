/*-------------------------------------------------------------------------
 * worker/fault.h
 *    whose fault an error is: the message's, the moment's, the definition's
 *
 * Pure C.  The place decides first, the SQLSTATE second (the rule is in
 * worker/README.md, "Whose fault an error is").
 *-------------------------------------------------------------------------
 */
#ifndef US_FAULT_H
#define US_FAULT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum UsFaultPlace
{
	US_PLACE_MESSAGE,			/* while one single message was decoded, mapped or written */
	US_PLACE_BATCH				/* anywhere else: opening the target, storing the position ... */
} UsFaultPlace;

typedef enum UsFault
{
	US_FAULT_MESSAGE,			/* dead letter */
	US_FAULT_SUSPECT,			/* dead letter, but stop if many messages in a row have it */
	US_FAULT_TRANSIENT,			/* the same batch again, later */
	US_FAULT_STOP				/* a person must look */
} UsFault;

#define US_FAULT_SUSPECT_RUN	100 /* messages in a row: then it is the definition */

/*
 * us_fault_classify -- decide by place and SQLSTATE
 *
 * In:      sqlstate      five characters
 *          row_security  a 42501 that a row-security policy raised
 */
extern UsFault us_fault_classify(const char *sqlstate, UsFaultPlace place, bool row_security);

/*
 * us_fault_is_definition -- whether so many suspects mean that the definition is wrong
 *
 * A batch counts as a whole: of the messages in it none may have fared
 * otherwise.  Few messages at a time make no difference, for the run goes on
 * from batch to batch.
 * In:      suspects  of the batch
 *          taken     messages of the batch
 *          before    length of the run that ended with the batch before
 */
extern bool us_fault_is_definition(int64_t suspects, int64_t taken, int64_t before);

/* length of the run after such a batch */
extern int64_t us_fault_run(int64_t suspects, int64_t taken, int64_t before);

#endif							/* US_FAULT_H */
