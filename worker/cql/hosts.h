/*-------------------------------------------------------------------------
 * worker/cql/hosts.h
 *    which host to connect to, and when
 *
 * A list of hosts in turn; one that failed is left alone for a time that
 * doubles with each failure, with jitter, and for ever: nobody gives up.  Time
 * is an argument, chance has a seed: the same calls give the same answers.
 *-------------------------------------------------------------------------
 */
#ifndef US_CQL_HOSTS_H
#define US_CQL_HOSTS_H

#include "worker/cql/buf.h"

#define US_CQL_PORT			9042
#define US_CQL_BACKOFF_MIN_MS	500
#define US_CQL_BACKOFF_MAX_MS	60000

typedef struct UsCqlHost
{
	char	   *name;			/* address or DNS name, NUL-terminated, without brackets */
	uint16_t	port;
	int			failures;		/* in a row */
	int64_t		retry_at_ms;	/* not before; 0 = at once */
} UsCqlHost;

typedef struct UsCqlHosts
{
	UsCqlMemory memory;
	int			nhosts;
	UsCqlHost  *hosts;
	int			next;			/* index that is looked at first */
	int			min_ms;			/* backoff after the first failure */
	int			max_ms;
	uint64_t	chance;			/* state of the random numbers, never 0 */
} UsCqlHosts;

/*
 * us_cql_hosts_parse -- "a:9042, 10.0.0.2, [::1]:9043"
 *
 * In:      text       NUL-terminated; blanks around hosts are skipped; a port is
 *                     optional; an IPv6 address needs brackets to have one
 *          memory     may be NULL
 *          seed       where the list starts and how waits vary; differs per process
 * Errors:  US_CQL_BAD_VALUE (*error says what, a constant), US_CQL_NO_MEMORY;
 *          then nothing is allocated
 */
extern UsCqlStatus us_cql_hosts_parse(UsCqlHosts *hosts, const char *text,
									  const UsCqlMemory *memory, uint64_t seed,
									  const char **error);
extern void us_cql_hosts_free(UsCqlHosts *hosts);

/*
 * us_cql_hosts_next -- the host to try now
 *
 * In:      now_ms     of a clock that does not jump back
 * Out:     *wait_ms   0, or how long no host is to be tried
 * Returns: index of a host, the next in turn whose wait is over; -1 = none
 */
extern int	us_cql_hosts_next(UsCqlHosts *hosts, int64_t now_ms, int64_t *wait_ms);

/*
 * us_cql_hosts_failed -- connecting to it failed, or the connection broke
 *
 * In:      slow       only a person can mend it (credentials): wait the longest at once
 */
extern void us_cql_hosts_failed(UsCqlHosts *hosts, int host, int64_t now_ms, bool slow);

/* a request succeeded; merely being connected does not count */
extern void us_cql_hosts_succeeded(UsCqlHosts *hosts, int host);

#endif							/* US_CQL_HOSTS_H */
