/*-------------------------------------------------------------------------
 * extension/feed_run.h
 *    one run of a feed, and the parts that it goes through
 *
 *    http -> records -> transform -> produce -> run history
 *
 * A run commits between its parts, so whatever a part leaves to the next one
 * is in the run's memory context or in that of its page, and no part may
 * leave a snapshot behind.
 *-------------------------------------------------------------------------
 */
#ifndef US_FEED_RUN_H
#define US_FEED_RUN_H

#include "extension/compat.h"
#include "extension/feed.h"
#include "extension/http_client.h"
#include "extension/kafka_produce.h"
#include "extension/server.h"

/* a record of which no message could be made, or sent */
typedef struct UsBadRecord
{
	char	   *value;			/* as it came, or as jsonb writes it */
	int			value_len;
	char		sqlstate[6];
	char	   *error;
} UsBadRecord;

/* what a response became */
typedef struct UsFeedPage
{
	MemoryContext context;		/* of all that is below */
	int			records;
	int			skipped;		/* the transform made nothing of them */
	UsFeedMessage *messages;
	int			nmessages;
	int			messages_capacity;
	UsBadRecord *bad;
	int			nbad;
	int			bad_capacity;
	char	   *next;			/* link to the next page as it stands there; NULL = none */
	char	   *since;			/* value of option since; NULL = none */
} UsFeedPage;

/* what the backend's CPU time goes into */
typedef enum UsFeedPart
{
	US_PART_FETCH,				/* the request, and inflating its response */
	US_PART_READ,				/* JSON of the page, and splitting it into records */
	US_PART_TRANSFORM,			/* records to messages */
	US_PART_PRODUCE,			/* messages to librdkafka, and its reports */
	US_PART_REST,				/* connections, history */
	US_NPARTS
} UsFeedPart;

typedef struct UsFeedRun
{
	UsFeed	   *feed;
	MemoryContext context;		/* lives as long as the run */
	TimestampTz deadline;

	/* connections, made anew by each attempt */
	UsHttpServer server;
	UsHttp	   *http;			/* NULL = none */
	UsOptionList kafka_options;

	/* where it stands: an attempt goes on with the page that failed */
	char	   *url;			/* of the page, NULL = first */
	int			page;			/* number of the page, from 1 */
	char	   *since;			/* read last; NULL = none */
	UsFeedPage	current;
	struct _SPI_plan *transform;	/* while a page is read; NULL = none */

	/* the attempt, as feed_run will show it */
	bool		producing;		/* the producer counts for this attempt */
	int64		run_id;			/* 0 before the first attempt */
	int64		id;
	int			attempt;
	int			http_status;	/* 0 = none */
	int64		pages;
	int64		bytes;
	int64		records;
	int64		failed;
	int64		skipped;

	/* CPU time in ns: of this thread by part, and when it was looked at last */
	int64		spent[US_NPARTS];
	int64		thread_ns;
	int64		process_ns;		/* of all threads, at the attempt's start */

	/* of the error that is being raised */
	bool		may_retry;
	int64		retry_after_ms; /* -1 = not asked for */
} UsFeedRun;

/*
 * us_feed_attempt -- from where the run stands to its last page
 *
 * Needs:   an SPI connection that may commit, on top of all others; commits
 * Errors:  what went wrong; only a rollback may follow
 */
extern void us_feed_attempt(UsFeedRun *run);

/*
 * us_feed_cpu_begin, us_feed_cpu_spent, us_feed_cpu_report -- what an attempt
 * costs
 *
 * The CPU time since the call before goes to a part; the report, of level
 * DEBUG1, has all of them and that of the other threads: librdkafka's, and
 * those that look up names.
 */
extern void us_feed_cpu_begin(UsFeedRun *run);
extern void us_feed_cpu_spent(UsFeedRun *run, UsFeedPart part);
extern void us_feed_cpu_report(const UsFeedRun *run);

/* milliseconds until the run's end; HV000 when it is over */
extern int	us_feed_time_left(const UsFeedRun *run);

/*
 * us_feed_fetch -- ask for the page where the run stands
 *
 * Waits without a snapshot; cancelled within a tenth of a second.
 * Returns: the response, of status 200 to 299, valid until the next request
 * Errors:  08006, HV000, 42501, 54000 ... (may_retry and retry_after_ms of
 *          the run are set)
 */
extern const UsHttpResponse *us_feed_fetch(UsFeedRun *run);

/*
 * us_feed_refuse_body -- raise what is wrong with a response's content
 *
 * Says status, content type and the first bytes, escaped, without secrets.
 */
pg_noreturn extern void us_feed_refuse_body(const UsFeedRun *run, const UsHttpResponse *response,
											const char *reason);

/*
 * us_feed_page_read -- a response to messages and bad records
 *
 * In:      run->current   empty but for its context
 * Errors:  22P02 not JSON; what a transform raises that is not the fault of
 *          one record
 * Needs:   a transaction that can be given up: called in a subtransaction
 */
extern void us_feed_page_read(UsFeedRun *run, const UsHttpResponse *response);

/*
 * us_feed_read_json, us_feed_read_ndjson -- the text of a page to messages
 *
 * In:      text   in the database's encoding
 * Errors:  as us_feed_page_read
 */
extern void us_feed_read_json(UsFeedRun *run, const UsHttpResponse *response, const char *text);
extern void us_feed_read_ndjson(UsFeedRun *run, const UsHttpResponse *response, const char *text);

/* what a text says by its kind of error; another error is not about the text */
extern bool us_feed_is_about_text(const ErrorData *error);
extern char *us_feed_error_text(const ErrorData *error);	/* message and detail; palloc'd */

/*
 * us_feed_records_add -- records to messages of the page, by the transform
 *
 * In:      records   n values, n at most what one statement shall take
 * Needs:   us_feed_records_begin called in the SPI connection that is open
 */
extern void us_feed_records_begin(UsFeedRun *run);
extern void us_feed_records_add(UsFeedRun *run, Jsonb **records, int n);

/* one more bad record of the page; everything is copied */
extern void us_feed_bad_record(UsFeedPage *page, const char *value, int value_len,
							   int sqlerrcode, const char *error);

/*
 * us_feed_produce -- all messages of the page into the topic, confirmed
 *
 * Waits without a snapshot.  A message that can never be sent, or that the
 * topic does not take because of its size, becomes a bad record of the page.
 * Errors:  08006 not confirmed in time, HV000
 */
extern void us_feed_produce(UsFeedRun *run);

/* a producer for the attempt, its counters at 0; and the end of one in doubt */
extern void us_feed_producer_begin(UsFeedRun *run);
extern void us_feed_producer_discard(void);

/* what the attempt produced so far: messages, and {"partition": offset} or NULL */
extern int64 us_feed_produced(const UsFeedRun *run, char **first_offsets, char **last_offsets);

/* history of runs; each needs a transaction and leaves it open */
extern void us_feed_history_begin(UsFeedRun *run);	/* a row, state running */
extern void us_feed_history_page(UsFeedRun *run);	/* counters and dead letters */
extern void us_feed_history_end(UsFeedRun *run, const char *state, const char *error);
extern void us_feed_history_skip(UsFeedRun *run, const char *reason);
extern void us_feed_remember(UsFeedRun *run, bool succeeded);	/* since_value, next_allowed_at */

#endif							/* US_FEED_RUN_H */
