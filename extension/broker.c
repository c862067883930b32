/*-------------------------------------------------------------------------
 * extension/broker.c
 *    asking a broker inside a caller's transaction
 *
 * Runs in the backends of create_stream, alter_stream, seek_stream, peek,
 * topics, create_feed and run_feed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/broker.h"
#include "extension/compat.h"
#include "extension/interrupts.h"
#include "pgstat.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

static bool
interrupt_pending(void)
{
	return InterruptPending || !PostmasterIsAlive();
}

UsTopicResult
us_broker_ask(UsBrokerQuestion ask, void *argument, char *errstr, size_t errstr_size)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   US_BROKER_TIMEOUT_MS);
	UsTopicResult result;
	long		left_ms;

	/* what the catalogs were read with must not be held while waiting */
	InvalidateCatalogSnapshot();
	/* an interrupt that turns out not to end us starts the question anew */
	do
	{
		us_check_interrupts();
		left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
		errstr[0] = '\0';
		pgstat_report_wait_start(PG_WAIT_EXTENSION);
		result = ask(argument, (int) Max(left_ms, 1), interrupt_pending, errstr, errstr_size);
		pgstat_report_wait_end();
	} while (result == US_TOPIC_INTERRUPTED && left_ms > 0);

	if (result != US_TOPIC_OK)
		CHECK_FOR_INTERRUPTS();
	return result;
}
