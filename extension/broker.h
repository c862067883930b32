/*-------------------------------------------------------------------------
 * extension/broker.h
 *    asking a broker inside a caller's transaction
 *-------------------------------------------------------------------------
 */
#ifndef US_BROKER_H
#define US_BROKER_H

#include "extension/kafka_topic.h"

#define US_BROKER_TIMEOUT_MS	10000	/* for all that is asked in one call */

/*
 * One question: asks for timeout_ms at most, and leaves off with
 * US_TOPIC_INTERRUPTED when interrupted() says so.  It calls nothing of
 * PostgreSQL.
 */
typedef UsTopicResult (*UsBrokerQuestion) (void *argument, int timeout_ms,
										   bool (*interrupted) (void),
										   char *errstr, size_t errstr_size);

/*
 * us_broker_ask -- ask, cancellable, for ten seconds at most
 *
 * Holds no snapshot of the catalogs meanwhile, and shows as a wait.
 * Out:     errstr  unless the result is US_TOPIC_OK: for people, without secrets
 * Errors:  57014 and the like, but not with US_TOPIC_OK: then the caller may
 *          have something to free first, and looks for interrupts itself
 */
extern UsTopicResult us_broker_ask(UsBrokerQuestion ask, void *argument,
								   char *errstr, size_t errstr_size);

#endif							/* US_BROKER_H */
