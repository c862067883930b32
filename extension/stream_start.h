/*-------------------------------------------------------------------------
 * extension/stream_start.h
 *    where a stream is to read: a text of the user -> an offset per partition
 *
 * One form for create_stream, alter_stream and seek_stream: earliest, latest,
 * a time, or a JSON object of offsets by partition.
 *-------------------------------------------------------------------------
 */
#ifndef US_STREAM_START_H
#define US_STREAM_START_H

#include "extension/stream_topic.h"

typedef enum UsStartKind
{
	US_START_EARLIEST,
	US_START_LATEST,
	US_START_TIME,
	US_START_OFFSETS
} UsStartKind;

/* the next offset to read of a partition */
typedef struct UsPlace
{
	int32		partition;
	int64		offset;
} UsPlace;

typedef struct UsStart
{
	const char *argument;		/* its name, for messages */
	UsStartKind kind;
	int64		time_ms;		/* US_START_TIME: milliseconds since 1970, at least 0; else -1 */
	int			count;			/* US_START_OFFSETS: of places, at least 1; else 0 */
	UsPlace    *places;
} UsStart;

/*
 * us_start_parse -- read what the user wrote; looks at nothing else
 *
 * In:      argument  name of the function's argument; kept
 *          text      a time is read as timestamptz_in does, in the caller's TimeZone
 * Returns: palloc'd
 * Errors:  22023 a mistyped word, or an object that means nothing; 22007,
 *          22008 what is no time; 22P02 broken JSON (all with a hint)
 */
extern UsStart *us_start_parse(const char *argument, const char *text);

/*
 * us_start_resolve -- the offsets that are meant, by what the broker says
 *
 * In:      all       every partition of the topic must be named
 *          question  what was asked of the broker (for messages)
 * Returns: palloc'd, *count of them, ascending by partition
 * Errors:  22023 with detail: a partition that the topic lacks, one that is
 *          not named though all must be, an offset outside low .. high
 */
extern UsPlace *us_start_resolve(const UsStart *start, bool all,
								 const UsTopicQuestion *question, const UsTopic *topic,
								 int *count);

/* what stream.start_at keeps: the word, else the offsets as JSON; palloc'd */
extern char *us_start_text(const UsStart *start, const UsPlace *places, int count);

#endif							/* US_STREAM_START_H */
