/*-------------------------------------------------------------------------
 * worker/host_lookup.c
 *    addresses of a host's name, without waiting for them
 *
 * Runs in mirror workers.  The C library asks for names in a thread of its
 * own (getaddrinfo_a), which runs nothing of ours.  A question that is given
 * up cannot be called back: it is kept until its answer comes, and freed when
 * the next one is asked.
 *-------------------------------------------------------------------------
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/host_lookup.h"

struct UsLookup
{
	UsLookup   *next;			/* of those given up */
	struct gaicb request;
	struct addrinfo hints;
	char	   *name;
	char		port[8];
	int			result;			/* EAI_INPROGRESS, then 0 or an error */
};

static UsLookup *given_up = NULL;

static void
destroy(UsLookup *lookup)
{
	if (lookup->request.ar_result != NULL)
		freeaddrinfo(lookup->request.ar_result);
	free(lookup->name);
	free(lookup);
}

static void
destroy_given_up(void)
{
	UsLookup  **at = &given_up;

	while (*at != NULL)
	{
		UsLookup   *lookup = *at;

		if (us_lookup_done(lookup))
		{
			*at = lookup->next;
			destroy(lookup);
		}
		else
			at = &lookup->next;
	}
}

/* the thread that this starts must not take signals that are the process's */
static int
ask(UsLookup *lookup)
{
	struct gaicb *list[1] = {&lookup->request};
	sigset_t	all;
	sigset_t	before;
	int			result;

	sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &before);
	result = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	(void) pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result == 0 ? EAI_INPROGRESS : result;
}

UsLookup *
us_lookup_start(const char *name, uint16_t port)
{
	UsLookup   *lookup = calloc(1, sizeof(UsLookup));

	destroy_given_up();
	if (lookup == NULL || (lookup->name = strdup(name)) == NULL)
	{
		free(lookup);
		return NULL;
	}
	snprintf(lookup->port, sizeof(lookup->port), "%u", port);
	lookup->hints.ai_socktype = SOCK_STREAM;
	lookup->hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	lookup->request.ar_name = lookup->name;
	lookup->request.ar_service = lookup->port;
	lookup->request.ar_request = &lookup->hints;
	lookup->result = getaddrinfo(lookup->name, lookup->port, &lookup->hints,
								 &lookup->request.ar_result);
	if (lookup->result != 0)
	{
		lookup->hints.ai_flags = AI_NUMERICSERV;
		lookup->result = ask(lookup);
	}
	return lookup;
}

bool
us_lookup_done(UsLookup *lookup)
{
	if (lookup->result == EAI_INPROGRESS)
		lookup->result = gai_error(&lookup->request);
	return lookup->result != EAI_INPROGRESS;
}

const struct addrinfo *
us_lookup_addresses(const UsLookup *lookup)
{
	return lookup->result == 0 ? lookup->request.ar_result : NULL;
}

const char *
us_lookup_error(const UsLookup *lookup)
{
	return gai_strerror(lookup->result);
}

void
us_lookup_free(UsLookup *lookup)
{
	if (lookup == NULL)
		return;
	if (us_lookup_done(lookup))
	{
		destroy(lookup);
		return;
	}
	lookup->next = given_up;
	given_up = lookup;
}
