/*-------------------------------------------------------------------------
 * worker/position.h
 *    userstream.stream_position: where each partition stands, and its counters
 *
 * Every call is made inside the batch's transaction and goes up to the owner
 * of our tables by itself.
 *-------------------------------------------------------------------------
 */
#ifndef US_POSITION_H
#define US_POSITION_H

#include "datatype/timestamp.h"
#include "extension/kafka_topic.h"

/* one partition of this worker */
typedef struct UsPosition
{
	int32		partition;
	int64		next_offset;	/* committed: next to read */
	int64		epoch;			/* raised by seek, alter, adopt */
	bool		stopped;		/* a person must look; not read */
	TimestampTz last_message_at;	/* of the last committed message; 0 = none */
} UsPosition;

/* what one batch changes in one partition */
typedef struct UsProgress
{
	int64		next_offset;	/* to store */
	int64		messages_read;
	int64		messages_applied;
	int64		rows_written;
	int64		dead_letters;
	int64		skipped;
	TimestampTz last_message_at;	/* 0 = none */
} UsProgress;

/* the partitions of a stream that belong to worker_index of worker_count, ascending */
extern UsPosition *us_position_load(int64 stream, int worker_count, int worker_index, int *count);

/*
 * us_position_advance -- compare-and-set, the first statement of a batch
 *
 * Errors:  40001 when position or epoch is not what this worker started from
 *          (someone sought, altered or dropped the stream, or another worker
 *          has the partition): then this worker must end; 55P03 when the row
 *          stays locked
 */
extern void us_position_advance(int64 stream, const UsPosition *from, const UsProgress *progress);

/* adds the counters that are known only at the end of the batch */
extern void us_position_count(int64 stream, int32 partition, const UsProgress *progress);

/*
 * us_position_add -- positions for new partitions, at their low offsets
 *
 * Raises the stream's config_version with them, so that its workers start
 * anew.  Does nothing when the definition is not of config_version any more,
 * or someone is just changing it.
 * Returns: whether there were any to add
 */
extern bool us_position_add(int64 stream, int config_version,
							const UsTopicPartition *partitions, int count);

/*
 * us_position_assign -- let other workers read some of the partitions
 *
 * In:      workers   by partition, 0 .. count - 1: its new worker; -1 = as it is
 * Returns: false when the definition is not of config_version any more, or
 *          someone is just changing it; else workers start anew, and one that
 *          lost a partition fails before it writes
 * Errors:  55P03 when a position stays locked
 */
extern bool us_position_assign(int64 stream, int config_version, const int *workers, int count);

/* adds dead letters that a retry applied; nothing when the partition is not there (any more) */
extern void us_position_count_retried(int64 stream, int32 partition, int64 retried);

/* marks one partition as stopped (its own transaction is the caller's) */
extern void us_position_stop(int64 stream, int32 partition, const char *error);

#endif							/* US_POSITION_H */
