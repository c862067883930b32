/*-------------------------------------------------------------------------
 * extension/kafka_conf.c
 *    options of a server and its mapping to a librdkafka configuration
 *
 * Used by the validators in any backend and by whoever opens a handle.  Our
 * own list is asked first, librdkafka second.  Some of librdkafka's calls
 * block longer than a process of a database may; they go through
 * us_kafka_call, which gives up waiting in time.
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "extension/kafka_conf.h"

#define EXIT_WAIT_MS		1000	/* how long exit() waits for threads left behind */
#define CALL_SLICE_MS		100		/* between two looks at the caller's wish to stop */

/* from 2.6.1 on a client sends SCRAM's nonce as Kafka 4 checks it */
#define SCRAM_FIXED_VERSION 0x020601ff

static const UsProperty properties[] = {
#define US_PROPERTY(name, rule, why) {name, US_PROPERTY_##rule, why},
#include "extension/kafka_property_list.h"
#undef US_PROPERTY
};

#define PROPERTY_COUNT ((int) (sizeof(properties) / sizeof(properties[0])))

/* one call of us_kafka_call, shared by two threads; the last to leave frees it */
typedef struct Call
{
	void		(*work) (void *argument, const atomic_bool *abandoned);
	void		(*release) (void *argument);
	void	   *argument;
	atomic_bool abandoned;		/* set by the waiting thread, under the mutex */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool		done;			/* set by the helper thread, under the mutex */
} Call;

/* threads that nobody waits for any more, in this process */
static atomic_int left_behind;

const UsProperty *
us_kafka_property_at(int number)
{
	return number >= 0 && number < PROPERTY_COUNT ? &properties[number] : NULL;
}

const UsProperty *
us_kafka_property_find(const char *name)
{
	for (int i = 0; i < PROPERTY_COUNT; i++)
	{
		if (strcmp(properties[i].name, name) == 0)
			return &properties[i];
	}
	return NULL;
}

const char *
us_kafka_version(void)
{
	return rd_kafka_version_str();
}

static const char *
find_value(const UsOptionList *options, const char *name)
{
	for (int i = 0; i < options->count; i++)
	{
		if (strcmp(options->items[i].name, name) == 0)
			return options->items[i].value;
	}
	return NULL;
}

bool
us_kafka_option_is_set(const UsOptionList *options, const char *name)
{
	return find_value(options, name) != NULL;
}

static void
cut_trailing_space(char *text)
{
	size_t		len = strlen(text);

	while (len > 0 && isspace((unsigned char) text[len - 1]))
		text[--len] = '\0';
}

/*
 * Whether a number arrived as it was written.  librdkafka reads as far as it
 * can and keeps 32 bits, so "5s" would be 5 ms and 4294967297 would be 1.
 */
static bool
is_number_kept(const rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char		stored[64];
	size_t		stored_size = sizeof(stored);
	char	   *end;
	long		written;
	long		kept;

	if (rd_kafka_conf_get(conf, name, stored, &stored_size) != RD_KAFKA_CONF_OK ||
		stored_size > sizeof(stored) || strcmp(stored, value) == 0)
		return true;
	kept = strtol(stored, &end, 10);
	if (end == stored || *end != '\0')
		return true;			/* not a number by nature */

	errno = 0;
	written = strtol(value, &end, 0);
	if (end == value)
		return true;			/* a word that stands for a number */
	while (isspace((unsigned char) *end))
		end++;
	return *end == '\0' && errno == 0 && written == kept;
}

static UsConfCheck
set_property(rd_kafka_conf_t *conf, const UsOption *option, char *errstr, size_t errstr_size)
{
	const UsProperty *property = us_kafka_property_find(option->name);

	/* librdkafka drops it, and a password must not change silently */
	if (property != NULL && property->rule == US_PROPERTY_CREDENTIAL &&
		isspace((unsigned char) option->value[0]))
	{
		snprintf(errstr, errstr_size, "the value begins with white space");
		return US_CONF_INVALID;
	}

	switch (rd_kafka_conf_set(conf, option->name, option->value, errstr, errstr_size))
	{
		case RD_KAFKA_CONF_OK:
			break;
		case RD_KAFKA_CONF_UNKNOWN:
			return US_CONF_UNKNOWN;
		default:
			cut_trailing_space(errstr);
			/* there is no code for it, but it must not be blamed on the value */
			return strstr(errstr, "not supported in this build") != NULL ?
				US_CONF_UNSUPPORTED : US_CONF_INVALID;
	}

	if (!is_number_kept(conf, option->name, option->value))
	{
		snprintf(errstr, errstr_size, "a whole number without a unit is expected");
		return US_CONF_INVALID;
	}
	return US_CONF_OK;
}

/* librdkafka's default mechanism is Kerberos, so ask it rather than the options */
static bool
uses_kerberos(const rd_kafka_conf_t *conf)
{
	char		protocol[32];
	char		mechanism[32];
	size_t		size = sizeof(protocol);

	if (rd_kafka_conf_get(conf, "security.protocol", protocol, &size) != RD_KAFKA_CONF_OK ||
		strncmp(protocol, "sasl", 4) != 0)
		return false;
	size = sizeof(mechanism);
	return rd_kafka_conf_get(conf, "sasl.mechanisms", mechanism, &size) == RD_KAFKA_CONF_OK &&
		strcasecmp(mechanism, "GSSAPI") == 0;
}

void
us_kafka_conf_check(const UsOptionList *options, UsConfVerdict *verdict)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	memset(verdict, 0, sizeof(*verdict));
	verdict->bad = -1;
	for (int i = 0; i < options->count && verdict->result == US_CONF_OK; i++)
	{
		verdict->result = set_property(conf, &options->items[i],
									   verdict->text, sizeof(verdict->text));
		if (verdict->result != US_CONF_OK)
			verdict->bad = i;
	}
	verdict->kerberos = uses_kerberos(conf);
	rd_kafka_conf_destroy(conf);
}

/*
 * The catalog can hold what no validator of ours has seen (an older version's
 * options, a list edited by hand), so the list is asked here again.
 */
static bool
set_checked(rd_kafka_conf_t *conf, const UsOption *option, char *errstr, size_t errstr_size)
{
	const UsProperty *property = us_kafka_property_find(option->name);
	char		ignored[512];	/* it may repeat a secret */

	if (property == NULL || property->rule == US_PROPERTY_NEVER)
	{
		snprintf(errstr, errstr_size, "option \"%s\" is not allowed", option->name);
		return false;
	}
	switch (set_property(conf, option, ignored, sizeof(ignored)))
	{
		case US_CONF_OK:
			return true;
		case US_CONF_UNKNOWN:
			snprintf(errstr, errstr_size, "option \"%s\" is not known to librdkafka %s",
					 option->name, us_kafka_version());
			return false;
		case US_CONF_UNSUPPORTED:
			snprintf(errstr, errstr_size, "option \"%s\" is not supported by this build of librdkafka %s",
					 option->name, us_kafka_version());
			return false;
		default:
			snprintf(errstr, errstr_size, "invalid value for option \"%s\"", option->name);
			return false;
	}
}

struct rd_kafka_conf_s *
us_kafka_conf_create(const UsOptionList *options, char *errstr, size_t errstr_size)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char		ignored[512];

	for (int i = 0; i < options->count; i++)
	{
		if (!set_checked(conf, &options->items[i], errstr, errstr_size))
		{
			rd_kafka_conf_destroy(conf);
			return NULL;
		}
	}

	/*
	 * librdkafka calls kinit by a shell unless its interval is 0.  That is
	 * what a keytab is for; without one the ticket is the administrator's
	 * business.
	 */
	if (uses_kerberos(conf) && !us_kafka_option_is_set(options, "sasl.kerberos.keytab") &&
		rd_kafka_conf_set(conf, "sasl.kerberos.min.time.before.relogin", "0",
						  ignored, sizeof(ignored)) == RD_KAFKA_CONF_INVALID)
	{
		snprintf(errstr, errstr_size, "this librdkafka cannot log in with Kerberos");
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	return conf;
}

/* librdkafka has no call for it, but this one wakes them, and here sets what is set already */
void
us_kafka_wake(struct rd_kafka_s *rk, const UsOptionList *options)
{
	const char *username = find_value(options, "sasl.username");
	const char *password = find_value(options, "sasl.password");

	/* refuses NULL only */
	(void) rd_kafka_sasl_set_credentials(rk, username != NULL ? username : "",
										 password != NULL ? password : "");
}

void
us_kafka_hide_secrets(const UsOptionList *options, char *text, size_t text_size)
{
	cut_trailing_space(text);
	for (int i = 0; i < options->count; i++)
	{
		const UsOption *option = &options->items[i];
		const UsProperty *property = us_kafka_property_find(option->name);

		if (property == NULL || property->rule != US_PROPERTY_CREDENTIAL ||
			strcmp(option->name, "sasl.username") == 0 || option->value[0] == '\0')
			continue;
		if (strstr(text, option->value) != NULL)
		{
			snprintf(text, text_size, "the connection failed");
			return;
		}
	}
}

void
us_kafka_authentication_text(const UsOptionList *options, const char *cause,
							 char *buffer, size_t buffer_size)
{
	const char *mechanism = find_value(options, "sasl.mechanisms");
	char		safe[512] = "";

	if (cause != NULL)
	{
		snprintf(safe, sizeof(safe), "%s", cause);
		us_kafka_hide_secrets(options, safe, sizeof(safe));
	}
	if (mechanism != NULL && strncasecmp(mechanism, "SCRAM", 5) == 0 &&
		rd_kafka_version() < SCRAM_FIXED_VERSION)
		snprintf(buffer, buffer_size,
				 "authentication failed (librdkafka %s cannot log in to Kafka 4 with %s, "
				 "whatever the password: update it to 2.6.1 or later, or use PLAIN over TLS)%s%s",
				 us_kafka_version(), mechanism, safe[0] != '\0' ? ": " : "", safe);
	else
		snprintf(buffer, buffer_size, "authentication failed%s%s",
				 safe[0] != '\0' ? ": " : "", safe);
}

/*
 * Runs at exit(), before handlers that were registered earlier, such as
 * OpenSSL's: they would free what a thread left behind still uses.  A crash
 * there would restart the whole cluster.
 */
static void
wait_for_left_behind(void)
{
	struct timespec pause = {0, 10 * 1000 * 1000};

	for (int waited_ms = 0; atomic_load(&left_behind) > 0; waited_ms += 10)
	{
		if (waited_ms >= EXIT_WAIT_MS)
			_exit(1);
		nanosleep(&pause, NULL);
	}
}

static void
count_left_behind(void)
{
	static bool registered = false;

	atomic_fetch_add(&left_behind, 1);
	if (!registered && atexit(wait_for_left_behind) == 0)
		registered = true;
}

static void
free_call(Call *call)
{
	pthread_cond_destroy(&call->changed);
	pthread_mutex_destroy(&call->mutex);
	free(call);
}

static void *
run_call(void *data)
{
	Call	   *call = data;
	bool		abandoned;

	call->work(call->argument, &call->abandoned);

	pthread_mutex_lock(&call->mutex);
	call->done = true;
	abandoned = atomic_load(&call->abandoned);
	pthread_cond_signal(&call->changed);
	pthread_mutex_unlock(&call->mutex);

	if (abandoned)
	{
		if (call->release != NULL)
			call->release(call->argument);
		free_call(call);
		atomic_fetch_sub(&left_behind, 1);
	}
	return NULL;
}

/* signals blocked, because a handler of PostgreSQL's must not run in this thread */
static bool
start_thread(pthread_t *thread, Call *call)
{
	sigset_t	all;
	sigset_t	before;
	int			rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(thread, NULL, run_call, call);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0;
}

static Call *
make_call(void)
{
	Call	   *call = calloc(1, sizeof(Call));
	pthread_condattr_t attr;

	if (call == NULL)
		return NULL;
	pthread_mutex_init(&call->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&call->changed, &attr);
	pthread_condattr_destroy(&attr);
	return call;
}

static long
elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

/* waits a slice at most; the mutex is held */
static void
wait_slice(Call *call, long slice_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += slice_ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&call->changed, &call->mutex, &until);
}

UsCallResult
us_kafka_call(void (*work) (void *argument, const atomic_bool *abandoned),
			  void (*release) (void *argument), void *argument,
			  int timeout_ms, bool (*interrupted) (void))
{
	Call	   *call = make_call();
	UsCallResult result = US_CALL_DONE;
	struct timespec start;
	pthread_t	thread;

	if (call == NULL)
		return US_CALL_FAILED;
	call->work = work;
	call->release = release;
	call->argument = argument;
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (!start_thread(&thread, call))
	{
		free_call(call);
		return US_CALL_FAILED;
	}

	pthread_mutex_lock(&call->mutex);
	while (!call->done && result == US_CALL_DONE)
	{
		long		left_ms = timeout_ms - elapsed_ms(&start);

		if (interrupted != NULL && interrupted())
			result = US_CALL_INTERRUPTED;
		else if (left_ms <= 0)
			result = US_CALL_LATE;
		else
			wait_slice(call, left_ms < CALL_SLICE_MS ? left_ms : CALL_SLICE_MS);
	}
	if (call->done)
		result = US_CALL_DONE;
	else
	{
		count_left_behind();
		atomic_store(&call->abandoned, true);
	}
	pthread_mutex_unlock(&call->mutex);

	if (result != US_CALL_DONE)
		pthread_detach(thread);
	else
	{
		pthread_join(thread, NULL);
		free_call(call);
	}
	return result;
}

static void
destroy_handle(void *argument, const atomic_bool *abandoned)
{
	(void) abandoned;

	/* no consumer group was joined, so there is nothing to say goodbye to */
	rd_kafka_destroy_flags(argument, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

bool
us_kafka_destroy(struct rd_kafka_s *rk, int timeout_ms)
{
	UsCallResult result = us_kafka_call(destroy_handle, NULL, rk, timeout_ms, NULL);

	if (result == US_CALL_FAILED)
		count_left_behind();
	return result == US_CALL_DONE;
}
