/*-------------------------------------------------------------------------
 * worker/fault.h
 *    whose fault an error is: the message's, the moment's, the definition's
 *
 * Pure C.  The place decides first, the SQLSTATE second (the rule is in
 * README, "Errors").
 *-------------------------------------------------------------------------
 */
#ifndef US_FAULT_H
#define US_FAULT_H

#include <stdbool.h>

typedef enum UsFaultPlace
{
	US_PLACE_MESSAGE,			/* while one single message was decoded, mapped or written */
	US_PLACE_BATCH				/* anywhere else: opening the target, storing the position ... */
} UsFaultPlace;

typedef enum UsFault
{
	US_FAULT_MESSAGE,			/* dead letter */
	US_FAULT_SUSPECT,			/* dead letter, but stop if every message of a large batch has it */
	US_FAULT_TRANSIENT,			/* the same batch again, later */
	US_FAULT_STOP				/* a person must look */
} UsFault;

#define US_FAULT_SUSPECT_BATCH	100 /* messages: from here on "every message" counts */

/*
 * us_fault_classify -- decide by place and SQLSTATE
 *
 * In:      sqlstate      five characters
 *          row_security  a 42501 that a row-security policy raised
 */
extern UsFault us_fault_classify(const char *sqlstate, UsFaultPlace place, bool row_security);

#endif							/* US_FAULT_H */
