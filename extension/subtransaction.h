/*-------------------------------------------------------------------------
 * extension/subtransaction.h
 *    try something, and go on when it fails
 *-------------------------------------------------------------------------
 */
#ifndef US_SUBTRANSACTION_H
#define US_SUBTRANSACTION_H

/*
 * us_try -- do something in a subtransaction
 *
 * Returns: NULL when it went well, else the error, in CurrentMemoryContext;
 *          what was done is undone then, SPI connections made inside included
 * Needs:   transaction
 */
extern ErrorData *us_try(void (*work) (void *argument), void *argument);

/* the same, but the error is raised again, outside the subtransaction */
extern void us_do(void (*work) (void *argument), void *argument);

#endif							/* US_SUBTRANSACTION_H */
