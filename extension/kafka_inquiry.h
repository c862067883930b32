/*-------------------------------------------------------------------------
 * extension/kafka_inquiry.h
 *    a handle that asks a broker something and goes, for kafka_*.c files only
 *
 * Pure C; embed UsInquiry as the first member of what is asked.
 *-------------------------------------------------------------------------
 */
#ifndef US_KAFKA_INQUIRY_H
#define US_KAFKA_INQUIRY_H

#include <stdatomic.h>

#include "extension/kafka_topic.h"

#define US_INQUIRY_FIRST_STEP_MS	250 /* timeout of the first question */

struct rd_kafka_queue_s;

/* belongs to the helper thread while it runs, see us_kafka_call */
typedef struct UsInquiry
{
	struct rd_kafka_s *rk;
	struct rd_kafka_queue_s *events;	/* errors of connections */
	const atomic_bool *abandoned;
	int64_t		deadline_ms;	/* of a clock of its own */
	int			step_ms;		/* set back to the first one for another question */

	/* seen in events */
	bool		refused_login;
	bool		tls_failed;
	bool		all_down;
	char		cause[512];		/* the last error that is about one broker */

	/* result */
	UsTopicResult result;
	char		error[512];
} UsInquiry;

/* makes the handle; false and errstr on failure */
extern bool us_inquiry_open(UsInquiry *inquiry, const UsOptionList *options, int timeout_ms,
							char *errstr, size_t errstr_size);

/*
 * us_inquiry_run -- ask in a helper thread
 *
 * In:      work     as us_kafka_call's; sets result, by us_inquiry_fail or to OK
 *          release  frees all of it, the handle by us_inquiry_abandon
 * Out:     owned    whether the inquiry is the caller's again; if not, only errstr
 *                   and the result are left
 */
extern UsTopicResult us_inquiry_run(UsInquiry *inquiry,
									void (*work) (void *argument, const atomic_bool *abandoned),
									void (*release) (void *argument),
									int timeout_ms, bool (*interrupted) (void),
									bool *owned, char *errstr, size_t errstr_size);

/* what there is to say of a failure, without secrets */
extern void us_inquiry_text(const UsInquiry *inquiry, const UsOptionList *options,
							char *errstr, size_t errstr_size);

/* ends the handle in bounded time, or in a thread that nobody waits for */
extern void us_inquiry_close(UsInquiry *inquiry);
extern void us_inquiry_abandon(UsInquiry *inquiry);

extern void us_inquiry_fail(UsInquiry *inquiry, UsTopicResult result, const char *text);

/*
 * us_inquiry_may_ask_again -- after a question without an answer
 *
 * A refused login does not get better by waiting, nor does TLS when no other
 * broker is left; anything else may, until the time is over.
 */
extern bool us_inquiry_may_ask_again(UsInquiry *inquiry, const char *error);

/* timeout of the next question; at least 1, as 0 would not ask */
extern int	us_inquiry_step_ms(const UsInquiry *inquiry);

#endif							/* US_KAFKA_INQUIRY_H */
