/*-------------------------------------------------------------------------
 * worker/history.h
 *    userstream.stream_history: a row per stream and minute, a day kept
 *-------------------------------------------------------------------------
 */
#ifndef US_HISTORY_H
#define US_HISTORY_H

/* writes a row for every stream and deletes those that are too old; needs a transaction */
extern void us_history_write(void);

#endif							/* US_HISTORY_H */
