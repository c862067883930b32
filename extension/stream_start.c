/*-------------------------------------------------------------------------
 * extension/stream_start.c
 *    where a stream is to read: a text of the user -> an offset per partition
 *
 * Runs in the caller's backend.  Parsing looks at the text only, so that a
 * mistake is told before the broker is asked; resolving needs its answer.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <limits.h>

#include "extension/options.h"
#include "extension/stream_start.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#define FORMS_HINT \
	"Give earliest, latest, a time, or an object such as {\"0\": 42} with an offset for each partition."

#define UNIX_EPOCH_US \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

static const char *const words[] = {"earliest", "latest", NULL};

/* what the input functions raise does not know which forms there are */
static void
add_hint(void *argument)
{
	errhint("%s", FORMS_HINT);
	errcontext("argument \"%s\"", (const char *) argument);
}

static Datum
input(PGFunction function, const char *argument, const char *text)
{
	ErrorContextCallback callback = {
		.previous = error_context_stack,
		.callback = add_hint,
		.arg = unconstify(char *, argument)
	};
	Datum		result;

	error_context_stack = &callback;
	result = DirectFunctionCall3(function, CStringGetDatum(text),
								 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	error_context_stack = callback.previous;
	return result;
}

/* words such as "yesterday" are times; one that looks like ours is a slip */
static void
check_typo(const char *argument, const char *text)
{
	const char *nearest;

	if (strpbrk(text, "0123456789") != NULL)
		return;
	nearest = us_nearest_word(text, words);
	if (nearest != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s \"%s\"", argument, text),
				 errhint("Perhaps you meant \"%s\".", nearest)));
}

static void
parse_time(const char *text, UsStart *start)
{
	TimestampTz at = DatumGetTimestampTz(input(timestamptz_in, start->argument, text));

	if (TIMESTAMP_IS_NOBEGIN(at))
		start->kind = US_START_EARLIEST;
	else if (TIMESTAMP_IS_NOEND(at))
		start->kind = US_START_LATEST;
	else
	{
		int64		ms = at / 1000 + UNIX_EPOCH_US / 1000;

		/* Kafka's times are whole: the first that is not before this one */
		if (at % 1000 > 0)
			ms++;
		start->kind = US_START_TIME;
		start->time_ms = Max(ms, 0);	/* negative ones have meanings of their own there */
	}
}

static void
wrong_offsets(const UsStart *start, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s", start->argument),
			 errdetail("%s", detail),
			 errhint("%s", FORMS_HINT)));
}

/* the usual form of a number only, so that no partition can be named twice */
static int32
parse_partition(const UsStart *start, const JsonbValue *key)
{
	char	   *text = pnstrdup(key->val.string.val, key->val.string.len);
	size_t		length = strlen(text);
	int64		number = 0;

	if (length > 0 && length <= 10 && strspn(text, "0123456789") == length &&
		(length == 1 || text[0] != '0'))
		number = strtoll(text, NULL, 10);
	else
		number = -1;
	if (number < 0 || number > INT_MAX)
		wrong_offsets(start, psprintf("\"%s\" is not the number of a partition.", text));
	return (int32) number;
}

static int64
parse_offset(const UsStart *start, int32 partition, const JsonbValue *value)
{
	char	   *text;

	if (value->type == jbvNumeric)
	{
		text = DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(value->val.numeric)));
		/* 18 digits: above what a topic can hold, below what int64 can */
		if (strlen(text) <= 18 && strspn(text, "0123456789") == strlen(text))
			return strtoll(text, NULL, 10);
	}
	wrong_offsets(start, psprintf("What is given for partition %d is not an offset: a whole number of at least 0.",
								  partition));
	return 0;
}

static int
compare_places(const void *a, const void *b)
{
	int32		x = ((const UsPlace *) a)->partition;
	int32		y = ((const UsPlace *) b)->partition;

	return (x > y) - (x < y);
}

static void
parse_offsets(const char *text, UsStart *start)
{
	Jsonb	   *json = DatumGetJsonbP(input(jsonb_in, start->argument, text));
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item;
	int32		partition = 0;

	start->kind = US_START_OFFSETS;
	if (JB_ROOT_COUNT(json) == 0)
		wrong_offsets(start, "The object names no partition.");
	start->places = palloc(sizeof(UsPlace) * JB_ROOT_COUNT(json));

	it = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			partition = parse_partition(start, &item);
		else if (token == WJB_VALUE)
		{
			start->places[start->count].partition = partition;
			start->places[start->count++].offset = parse_offset(start, partition, &item);
		}
	}
	qsort(start->places, start->count, sizeof(UsPlace), compare_places);
}

UsStart *
us_start_parse(const char *argument, const char *text)
{
	UsStart    *start = palloc0(sizeof(UsStart));
	const char *first = text;

	start->argument = argument;
	start->time_ms = -1;
	while (isspace((unsigned char) *first))
		first++;

	if (strcmp(text, "earliest") == 0)
		start->kind = US_START_EARLIEST;
	else if (strcmp(text, "latest") == 0)
		start->kind = US_START_LATEST;
	else if (*first == '{')
		parse_offsets(text, start);
	else
	{
		check_typo(argument, text);
		parse_time(text, start);
	}
	return start;
}

static const UsTopicPartition *
find_partition(const UsTopic *topic, int32 partition)
{
	for (int i = 0; i < topic->count; i++)
		if (topic->partitions[i].partition == partition)
			return &topic->partitions[i];
	return NULL;
}

/* what was named must be there, and in what the log holds */
static void
check_places(const UsStart *start, const UsTopicQuestion *question, const UsTopic *topic)
{
	for (int i = 0; i < start->count; i++)
	{
		const UsPlace *place = &start->places[i];
		const UsTopicPartition *partition = find_partition(topic, place->partition);

		if (partition == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid %s", start->argument),
					 errdetail("Topic \"%s\" has no partition %d.", question->topic, place->partition),
					 errhint("Its partitions are 0 to %d.",
							 topic->partitions[topic->count - 1].partition)));
		if (place->offset < partition->low_offset || place->offset > partition->high_offset)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid %s", start->argument),
					 errdetail("Offset " INT64_FORMAT " of partition %d is outside what topic \"%s\" holds.",
							   place->offset, place->partition, question->topic),
					 errhint("Partition %d can be read from offset " INT64_FORMAT " (earliest) to " INT64_FORMAT " (latest).",
							 place->partition, (int64) partition->low_offset,
							 (int64) partition->high_offset)));
	}
}

/* both lists ascend */
static void
check_all_named(const UsStart *start, const UsTopicQuestion *question, const UsTopic *topic)
{
	for (int i = 0; i < topic->count; i++)
		if (i >= start->count || start->places[i].partition != topic->partitions[i].partition)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid %s", start->argument),
					 errdetail("It says nothing about partition %d of topic \"%s\".",
							   topic->partitions[i].partition, question->topic),
					 errhint("Name all %d partitions, or give earliest, latest or a time.",
							 topic->count)));
}

static int64
offset_of(const UsStart *start, const UsTopicPartition *partition)
{
	switch (start->kind)
	{
		case US_START_EARLIEST:
			return partition->low_offset;
		case US_START_TIME:
			/* no message is that late: the end */
			return partition->time_offset >= 0 ? partition->time_offset : partition->high_offset;
		default:
			return partition->high_offset;
	}
}

UsPlace *
us_start_resolve(const UsStart *start, bool all, const UsTopicQuestion *question,
				 const UsTopic *topic, int *count)
{
	UsPlace    *places;

	if (start->kind == US_START_OFFSETS)
	{
		check_places(start, question, topic);
		if (all)
			check_all_named(start, question, topic);
		*count = start->count;
		return start->places;
	}

	places = palloc(sizeof(UsPlace) * topic->count);
	for (int i = 0; i < topic->count; i++)
	{
		places[i].partition = topic->partitions[i].partition;
		places[i].offset = offset_of(start, &topic->partitions[i]);
	}
	*count = topic->count;
	return places;
}

char *
us_start_text(const UsStart *start, const UsPlace *places, int count)
{
	StringInfoData text;

	if (start->kind == US_START_EARLIEST)
		return pstrdup("earliest");
	if (start->kind == US_START_LATEST)
		return pstrdup("latest");

	initStringInfo(&text);
	for (int i = 0; i < count; i++)
		appendStringInfo(&text, "%s\"%d\": " INT64_FORMAT, i == 0 ? "{" : ", ",
						 places[i].partition, places[i].offset);
	appendStringInfoChar(&text, '}');
	return text.data;
}
