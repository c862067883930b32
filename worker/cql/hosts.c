/*-------------------------------------------------------------------------
 * worker/cql/hosts.c
 *    which host to connect to, and when
 *
 * Each host has its own wait, so failover is just taking the next whose wait
 * is over, and when all fail the waits add up to a backoff of the whole.
 *-------------------------------------------------------------------------
 */
#include "worker/cql/hosts.h"

/* xorshift64*: any quality will do, it only keeps processes from marching in step */
static uint64_t
random_number(UsCqlHosts *hosts)
{
	hosts->chance ^= hosts->chance >> 12;
	hosts->chance ^= hosts->chance << 25;
	hosts->chance ^= hosts->chance >> 27;
	return hosts->chance * UINT64_C(0x2545f4914f6cdd1d);
}

static bool
parse_port(const char *text, size_t len, uint16_t *port)
{
	uint32_t	number = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (uint32_t) (text[i] - '0');
	}
	*port = (uint16_t) number;
	return number > 0 && number <= UINT16_MAX;
}

/* cuts "name:port"; what stays in *text, *len is the name.  NULL, or what is wrong */
static const char *
cut_port(const char **text, size_t *len, uint16_t *port)
{
	const char *close;
	const char *colon;

	*port = US_CQL_PORT;
	if (**text == '[')
	{
		close = memchr(*text, ']', *len);
		if (close == NULL)
			return "a bracket is not closed";
		colon = close + 1 < *text + *len ? close + 1 : NULL;
		if (colon != NULL && *colon != ':')
			return "after a bracket only a port may follow";
		if (colon != NULL && !parse_port(colon + 1, (size_t) (*text + *len - colon - 1), port))
			return "a port is a number from 1 to 65535";
		*len = (size_t) (close - *text - 1);
		(*text)++;
		return *len > 0 ? NULL : "a host has no name";
	}
	colon = memchr(*text, ':', *len);
	/* several colons: an IPv6 address without a port */
	if (colon == NULL || memchr(colon + 1, ':', (size_t) (*text + *len - colon - 1)) != NULL)
		return NULL;
	if (!parse_port(colon + 1, (size_t) (*text + *len - colon - 1), port))
		return "a port is a number from 1 to 65535";
	*len = (size_t) (colon - *text);
	return *len > 0 ? NULL : "a host has no name";
}

static UsCqlStatus
add_host(UsCqlHosts *hosts, const char *name, size_t len, uint16_t port)
{
	UsCqlHost  *all = us_cql_resize(&hosts->memory, hosts->hosts,
									sizeof(UsCqlHost) * (size_t) (hosts->nhosts + 1));
	UsCqlHost  *host;

	if (all == NULL)
		return US_CQL_NO_MEMORY;
	hosts->hosts = all;
	host = &all[hosts->nhosts];
	memset(host, 0, sizeof(*host));
	host->name = us_cql_resize(&hosts->memory, NULL, len + 1);
	if (host->name == NULL)
		return US_CQL_NO_MEMORY;
	memcpy(host->name, name, len);
	host->name[len] = '\0';
	host->port = port;
	hosts->nhosts++;
	return US_CQL_OK;
}

/* one entry of the list, without the commas around it */
static UsCqlStatus
parse_host(UsCqlHosts *hosts, const char *text, size_t len, const char **error)
{
	uint16_t	port;

	while (len > 0 && *text == ' ')
	{
		text++;
		len--;
	}
	while (len > 0 && text[len - 1] == ' ')
		len--;
	*error = "a host has no name";
	if (len == 0)
		return US_CQL_BAD_VALUE;
	*error = cut_port(&text, &len, &port);
	if (*error != NULL)
		return US_CQL_BAD_VALUE;
	if (memchr(text, ' ', len) != NULL)
	{
		*error = "hosts are separated by commas";
		return US_CQL_BAD_VALUE;
	}
	if (memchr(text, '[', len) != NULL || memchr(text, ']', len) != NULL)
	{
		*error = "brackets belong around an address";
		return US_CQL_BAD_VALUE;
	}
	return add_host(hosts, text, len, port);
}

UsCqlStatus
us_cql_hosts_parse(UsCqlHosts *hosts, const char *text, const UsCqlMemory *memory, uint64_t seed,
				   const char **error)
{
	UsCqlStatus status;

	memset(hosts, 0, sizeof(*hosts));
	if (memory != NULL)
		hosts->memory = *memory;
	hosts->min_ms = US_CQL_BACKOFF_MIN_MS;
	hosts->max_ms = US_CQL_BACKOFF_MAX_MS;
	hosts->chance = seed * 2 + 1;
	while (true)
	{
		size_t		len = strcspn(text, ",");

		status = parse_host(hosts, text, len, error);
		if (status != US_CQL_OK || text[len] == '\0')
			break;
		text += len + 1;
	}
	if (status != US_CQL_OK)
	{
		us_cql_hosts_free(hosts);
		return status;
	}
	hosts->next = (int) (random_number(hosts) % (uint64_t) hosts->nhosts);
	return US_CQL_OK;
}

void
us_cql_hosts_free(UsCqlHosts *hosts)
{
	for (int i = 0; i < hosts->nhosts; i++)
		us_cql_free(&hosts->memory, hosts->hosts[i].name);
	us_cql_free(&hosts->memory, hosts->hosts);
	hosts->hosts = NULL;
	hosts->nhosts = 0;
}

int
us_cql_hosts_next(UsCqlHosts *hosts, int64_t now_ms, int64_t *wait_ms)
{
	int64_t		soonest = INT64_MAX;

	*wait_ms = 0;
	for (int i = 0; i < hosts->nhosts; i++)
	{
		int			index = (hosts->next + i) % hosts->nhosts;
		const UsCqlHost *host = &hosts->hosts[index];

		if (host->retry_at_ms <= now_ms)
		{
			hosts->next = (index + 1) % hosts->nhosts;
			return index;
		}
		if (host->retry_at_ms < soonest)
			soonest = host->retry_at_ms;
	}
	*wait_ms = soonest - now_ms;
	return -1;
}

void
us_cql_hosts_failed(UsCqlHosts *hosts, int host, int64_t now_ms, bool slow)
{
	UsCqlHost  *failed = &hosts->hosts[host];
	int64_t		wait_ms = hosts->min_ms;

	for (int i = 0; i < failed->failures && wait_ms < hosts->max_ms; i++)
		wait_ms *= 2;
	if (slow || wait_ms > hosts->max_ms)
		wait_ms = hosts->max_ms;
	if (failed->failures < INT32_MAX)
		failed->failures++;
	/* from half of it to all of it */
	wait_ms = wait_ms / 2 + (int64_t) (random_number(hosts) % (uint64_t) (wait_ms / 2 + 1));
	failed->retry_at_ms = now_ms + wait_ms;
}

void
us_cql_hosts_succeeded(UsCqlHosts *hosts, int host)
{
	hosts->hosts[host].failures = 0;
	hosts->hosts[host].retry_at_ms = 0;
}
