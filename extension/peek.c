/*-------------------------------------------------------------------------
 * extension/peek.c
 *    peek: messages of a topic as rows, without consuming them
 *
 * Runs in the caller's backend and transaction: in bounded time, cancellable,
 * with no lock of ours.  It reads as a stream worker does, from offsets of its
 * own choice, so nothing is left of it on the brokers.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/args.h"
#include "extension/compat.h"
#include "extension/server.h"
#include "extension/stream_topic.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/map.h"
#include "worker/source.h"

PG_FUNCTION_INFO_V1(us_peek);

#define MAX_MESSAGES		1000000
#define MAX_BYTES			(1024 * 1024 * 1024)
#define READ_TIMEOUT_MS		10000
#define CLOSE_TIMEOUT_MS	1000
#define MIN_QUEUE_KB		1024	/* fetched ahead at least; else twice of what is asked for */
#define CHUNK_MESSAGES		100

#define UNIX_EPOCH_US \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* positions in the signature of peek */
enum
{
	ARG_SERVER,
	ARG_TOPIC,
	ARG_PARTITION,
	ARG_FROM_OFFSET,
	ARG_FROM_TIME,
	ARG_MAX_MESSAGES,
	ARG_MAX_BYTES
};

/* a message that may become a row of the result */
typedef struct Found
{
	HeapTuple	tuple;
	int64		timestamp_ms;
	int64		offset;
	int32		partition;
	int64		bytes;			/* of key and value */
} Found;

/* one partition to read: offsets [from, to) */
typedef struct Range
{
	int32		partition;
	int64		from;
	int64		to;
	int			messages;		/* read of it */
	bool		done;
} Range;

typedef struct Peek
{
	UsTopicQuestion question;
	bool		newest;			/* the last messages, not the first from somewhere */
	int			max_messages;
	int64		max_bytes;

	UsTopic		topic;
	TimestampTz deadline;
	bool		late;			/* it came before all was read */
	UsAssignment *assignments;
	Range	   *ranges;			/* one for each assignment */
	int			nranges;

	TupleDesc	descriptor;
	Found	   *found;
	int			nfound;
	int			capacity;
	int64		bytes;			/* of all that is found */
} Peek;

static void
check_limits(const Peek *peek, FunctionCallInfo fcinfo)
{
	if (peek->max_messages < 1 || peek->max_messages > MAX_MESSAGES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid max_messages: %d", peek->max_messages),
				 errhint("Give a number from 1 to %d.", MAX_MESSAGES)));
	if (peek->max_bytes < 1 || peek->max_bytes > MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid max_bytes: " INT64_FORMAT, peek->max_bytes),
				 errhint("Give a number of bytes from 1 to %d.", MAX_BYTES)));
	if (!PG_ARGISNULL(ARG_FROM_OFFSET) && !PG_ARGISNULL(ARG_FROM_TIME))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("from_offset and from_time exclude each other"),
				 errhint("Give one of them, or none for the newest messages.")));
}

/* milliseconds since 1970, as brokers count; -1 = before that */
static int64
to_kafka_time(TimestampTz at)
{
	if (TIMESTAMP_IS_NOBEGIN(at))
		return 0;
	if (TIMESTAMP_IS_NOEND(at))
		return PG_INT64_MAX;
	return Max(at / 1000 + UNIX_EPOCH_US / 1000, 0);
}

static void
read_arguments(FunctionCallInfo fcinfo, Peek *peek)
{
	if (PG_ARGISNULL(ARG_SERVER))
		us_args_refuse_null("server");
	if (PG_ARGISNULL(ARG_TOPIC))
		us_args_refuse_null("topic");
	peek->question.server_name = pstrdup(NameStr(*PG_GETARG_NAME(ARG_SERVER)));
	peek->question.topic = text_to_cstring(PG_GETARG_TEXT_PP(ARG_TOPIC));
	us_args_check_topic(peek->question.topic);
	peek->question.time_ms = PG_ARGISNULL(ARG_FROM_TIME) ? -1 :
		to_kafka_time(PG_GETARG_TIMESTAMPTZ(ARG_FROM_TIME));
	peek->newest = PG_ARGISNULL(ARG_FROM_OFFSET) && PG_ARGISNULL(ARG_FROM_TIME);
	peek->max_messages = PG_ARGISNULL(ARG_MAX_MESSAGES) ? 100 : PG_GETARG_INT32(ARG_MAX_MESSAGES);
	peek->max_bytes = PG_ARGISNULL(ARG_MAX_BYTES) ? 10485760 : PG_GETARG_INT32(ARG_MAX_BYTES);
	check_limits(peek, fcinfo);

	peek->question.owner = GetUserId();
	peek->question.server = us_server_lookup(peek->question.server_name, US_SERVER_KAFKA,
											 peek->question.owner);
}

/* where to begin in a partition; its high watermark when there is nothing to read */
static int64
first_offset(FunctionCallInfo fcinfo, const Peek *peek, const UsTopicPartition *partition)
{
	int64		from;

	if (peek->newest)
		from = partition->high_offset - Min(peek->max_messages, partition->high_offset);
	else if (PG_ARGISNULL(ARG_FROM_OFFSET))
		from = partition->time_offset < 0 ? partition->high_offset : partition->time_offset;
	else
		from = PG_GETARG_INT64(ARG_FROM_OFFSET);
	return Min(Max(from, partition->low_offset), partition->high_offset);
}

static void
choose_ranges(FunctionCallInfo fcinfo, Peek *peek)
{
	int			count = peek->topic.count;
	bool		exists = PG_ARGISNULL(ARG_PARTITION);

	peek->assignments = palloc(sizeof(UsAssignment) * count);
	peek->ranges = palloc0(sizeof(Range) * count);
	for (int i = 0; i < count; i++)
	{
		const UsTopicPartition *partition = &peek->topic.partitions[i];
		int64		from = first_offset(fcinfo, peek, partition);

		if (!PG_ARGISNULL(ARG_PARTITION) && partition->partition != PG_GETARG_INT32(ARG_PARTITION))
			continue;
		exists = true;
		if (from >= partition->high_offset)
			continue;
		peek->ranges[peek->nranges].partition = partition->partition;
		peek->ranges[peek->nranges].from = from;
		peek->ranges[peek->nranges].to = partition->high_offset;
		peek->nranges++;
	}
	if (!exists)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("topic \"%s\" has no partition %d",
						peek->question.topic, PG_GETARG_INT32(ARG_PARTITION)),
				 errhint("Its partitions are 0 to %d.", count - 1)));
}

static Range *
find_range(Peek *peek, int32 partition)
{
	for (int i = 0; i < peek->nranges; i++)
		if (peek->ranges[i].partition == partition)
			return &peek->ranges[i];
	return NULL;
}

static bool
all_done(const Peek *peek)
{
	for (int i = 0; i < peek->nranges; i++)
		if (!peek->ranges[i].done)
			return false;
	return true;
}

/* the newest first; the later offset is the newer one of two with the same time */
static int
compare_newest_first(const void *a, const void *b)
{
	const Found *x = a;
	const Found *y = b;

	if (x->timestamp_ms != y->timestamp_ms)
		return x->timestamp_ms > y->timestamp_ms ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset > y->offset ? -1 : 1;
	return (x->partition < y->partition) - (x->partition > y->partition);
}

/* keeps the newest ones that the caller's bounds have room for, at least one */
static void
keep_newest(Peek *peek)
{
	int			kept = 0;
	int64		bytes = 0;

	qsort(peek->found, peek->nfound, sizeof(Found), compare_newest_first);
	for (int i = 0; i < peek->nfound; i++)
	{
		Found	   *found = &peek->found[i];

		if (kept == i && kept < peek->max_messages &&
			(kept == 0 || bytes + found->bytes <= peek->max_bytes))
		{
			bytes += found->bytes;
			kept++;
		}
		else
			heap_freetuple(found->tuple);
	}
	peek->nfound = kept;
	peek->bytes = bytes;
}

/* whether no more is to be read */
static bool
is_full(const Peek *peek)
{
	return !peek->newest &&
		(peek->nfound >= peek->max_messages || peek->bytes >= peek->max_bytes);
}

static void
add_message(Peek *peek, const UsMessage *message)
{
	int64		bytes = message->key_len + message->value_len;
	Found	   *found;

	if (is_full(peek) ||
		(!peek->newest && peek->nfound > 0 && peek->bytes + bytes > peek->max_bytes))
	{
		/* the first that finds no room ends it, or the result would have holes */
		peek->bytes = peek->max_bytes;
		return;
	}
	if (peek->nfound >= 2 * peek->max_messages ||
		(peek->nfound > 1 && peek->bytes + bytes > 2 * peek->max_bytes))
		keep_newest(peek);
	if (peek->nfound == peek->capacity)
	{
		peek->capacity = Max(64, peek->capacity * 2);
		peek->found = peek->found == NULL ?
			MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Found) * peek->capacity) :
			repalloc_huge(peek->found, sizeof(Found) * peek->capacity);
	}
	found = &peek->found[peek->nfound++];
	found->tuple = us_message_tuple(message, peek->descriptor);
	found->timestamp_ms = message->timestamp_ms;
	found->offset = message->offset;
	found->partition = message->partition;
	found->bytes = bytes;
	peek->bytes += bytes;
}

/* takes what there is; whether there was anything */
static bool
take_messages(Peek *peek, UsSource *source)
{
	UsMessage	messages[CHUNK_MESSAGES];
	volatile int count = us_source_poll(source, messages, CHUNK_MESSAGES);

	PG_TRY();
	{
		for (int i = 0; i < count; i++)
		{
			Range	   *range = find_range(peek, messages[i].partition);

			/* what came after the look at the watermarks is of the next call */
			if (messages[i].offset < range->to)
			{
				add_message(peek, &messages[i]);
				range->messages++;
			}
			range->done |= messages[i].offset + 1 >= range->to;
		}
	}
	PG_FINALLY();
	{
		us_source_release(source, messages, count);
	}
	PG_END_TRY();
	return count > 0;
}

/* whether there was any; a broker that is away may come back in time */
static bool
take_events(Peek *peek, UsSource *source)
{
	UsEvent		event;
	bool		any = false;

	while (us_source_next_event(source, &event))
	{
		Range	   *range = event.partition < 0 ? NULL : find_range(peek, event.partition);

		any = true;
		if (event.kind == US_EVENT_AUTHENTICATION || event.kind == US_EVENT_FATAL ||
			event.kind == US_EVENT_PARTITION_ERROR)
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("could not read topic \"%s\" of server \"%s\"",
							peek->question.topic, peek->question.server_name),
					 errdetail("The Kafka library says: %s.", event.text),
					 errhint("Check the options of the server and of its user mapping.")));
		/* at its end, or what was there is deleted by now */
		if (range != NULL && (event.kind == US_EVENT_EOF || event.kind == US_EVENT_OUT_OF_RANGE))
			range->done = true;
	}
	return any;
}

static void
read_messages(Peek *peek, UsSource *source)
{
	while (!all_done(peek) && !is_full(peek))
	{
		long		left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
																peek->deadline);
		bool		any;

		CHECK_FOR_INTERRUPTS();
		any = take_messages(peek, source);
		any |= take_events(peek, source);
		if (any)
			continue;
		if (left_ms <= 0)
		{
			peek->late = true;
			ereport(WARNING,
					(errmsg("topic \"%s\" was not read to its end", peek->question.topic),
					 errdetail("The brokers gave no more within %d seconds.", READ_TIMEOUT_MS / 1000)));
			return;
		}
		(void) WaitLatchOrSocket(MyLatch,
								 WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT |
								 WL_EXIT_ON_PM_DEATH,
								 us_source_wake_fd(source), left_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

static void
read_topic(Peek *peek)
{
	UsOptionList options = us_server_options(peek->question.server, peek->question.owner);
	UsSourceConfig config = {
		.options = &options,
		.topic = peek->question.topic,
		.group_id = "userstream.peek",	/* librdkafka wants one; it is never joined */
		.client_id = "userstream.peek",
		.queue_memory_kb = Max((int) (peek->max_bytes / 512), MIN_QUEUE_KB),
		.nassignments = peek->nranges,
		.assignments = peek->assignments
	};
	char		errstr[512];
	UsSource   *source;

	for (int i = 0; i < peek->nranges; i++)
	{
		peek->assignments[i].partition = peek->ranges[i].partition;
		peek->assignments[i].offset = peek->ranges[i].from;
	}
	source = us_source_open(&config, errstr, sizeof(errstr));
	if (source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("could not open topic \"%s\": %s", peek->question.topic, errstr),
				 errhint("Check the options of the server and of its user mapping.")));
	PG_TRY();
	{
		read_messages(peek, source);
	}
	PG_FINALLY();
	{
		(void) us_source_close(source, CLOSE_TIMEOUT_MS);
	}
	PG_END_TRY();
}

/*
 * Not every offset has a message: there are markers of transactions, and what
 * compaction took.  Ranges that gave too few begin earlier; whether there is
 * such a one.
 */
static bool
reach_back(Peek *peek)
{
	bool		any = false;

	for (int i = 0; i < peek->nranges; i++)
	{
		Range	   *range = &peek->ranges[i];
		int64		low = 0;

		for (int k = 0; k < peek->topic.count; k++)
			if (peek->topic.partitions[k].partition == range->partition)
				low = peek->topic.partitions[k].low_offset;
		if (range->messages >= peek->max_messages || range->from <= low)
			continue;
		range->from = Max(low, range->to - (range->to - range->from) * 4);
		any = true;
	}
	return any;
}

static void
start_over(Peek *peek)
{
	for (int i = 0; i < peek->nfound; i++)
		heap_freetuple(peek->found[i].tuple);
	peek->nfound = 0;
	peek->bytes = 0;
	for (int i = 0; i < peek->nranges; i++)
	{
		peek->ranges[i].messages = 0;
		peek->ranges[i].done = false;
	}
}

Datum
us_peek(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Peek		peek = {0};

	read_arguments(fcinfo, &peek);
	InitMaterializedSRF(fcinfo, 0);
	peek.descriptor = rsinfo->setDesc;
	us_stream_topic_describe(&peek.question, &peek.topic);
	peek.deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), READ_TIMEOUT_MS);
	choose_ranges(fcinfo, &peek);
	if (peek.nranges > 0)
		read_topic(&peek);
	while (peek.newest && !peek.late && reach_back(&peek))
	{
		start_over(&peek);
		read_topic(&peek);
	}

	/* oldest first, as a topic is read */
	if (peek.newest)
		keep_newest(&peek);
	for (int i = 0; i < peek.nfound; i++)
		tuplestore_puttuple(rsinfo->setResult,
							peek.found[peek.newest ? peek.nfound - 1 - i : i].tuple);
	return (Datum) 0;
}
