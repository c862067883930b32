/*-------------------------------------------------------------------------
 * extension/http_client.c
 *    one HTTP request after another, by libcurl's multi interface
 *
 * Runs in the backend that runs a feed.  libcurl looks up names in a thread
 * of its own, so signals are blocked whenever it may start one: a handler of
 * PostgreSQL's must not run there.  Redirects are followed here, not by
 * libcurl, which would carry our headers to other hosts.
 *-------------------------------------------------------------------------
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "extension/http_address.h"
#include "extension/http_client.h"
#include "extension/http_secret.h"
#include "extension/http_url.h"

#if LIBCURL_VERSION_NUM < 0x075700
#error "userstream needs libcurl 7.87 or later: before, giving up could wait for a name being looked up"
#endif

#define MAX_REDIRECTS		10
#define MAX_HEADER_BYTES	(256 * 1024)	/* of one response; a server has no use for more */
#define FIRST_BODY_BYTES	(64 * 1024)
#define LOW_SPEED_BYTES		10		/* a second: slower than this ... */
#define LOW_SPEED_SECONDS	20		/* ... for so long is as good as silence */

struct UsHttp
{
	const UsHttpServer *server;
	CURLM	   *multi;
	CURL	   *easy;
	struct curl_slist *headers; /* with the mapping's; NULL = none */
	struct curl_slist *plain_headers;	/* for other origins */
	char		curl_error[CURL_ERROR_SIZE];

	/* of the request under way */
	char	   *url;
	bool		added;			/* the easy handle is in the multi handle */
	bool		trusted;		/* still at the server's origin */
	bool		is_post;
	int			redirects;
	int64_t		deadline_ms;	/* by now_ms() */
	size_t		body_capacity;
	size_t		header_bytes;
	bool		refused_address;
	bool		too_large;
	bool		no_memory;
	UsHttpResponse response;
};

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- callbacks: they set flags and return, and know no PostgreSQL ---- */

/* the cap is on decompressed bytes, which is what comes here */
static size_t
take_body(char *data, size_t size, size_t count, void *context)
{
	UsHttp	   *http = context;
	size_t		needed = http->response.size + size * count + 1;
	size_t		limit = (size_t) http->server->max_bytes + 1;

	if (needed > limit)
	{
		http->too_large = true;
		return 0;
	}
	if (needed > http->body_capacity)
	{
		size_t		capacity = http->body_capacity * 2;
		char	   *body;

		if (capacity < needed)
			capacity = needed;
		if (capacity > limit)
			capacity = limit;
		body = realloc(http->response.body, capacity);
		if (body == NULL)
		{
			http->no_memory = true;
			return 0;
		}
		http->response.body = body;
		http->body_capacity = capacity;
	}
	memcpy(http->response.body + http->response.size, data, size * count);
	http->response.size += size * count;
	http->response.body[http->response.size] = '\0';
	return size * count;
}

static size_t
/* as curl declares it: NOLINTNEXTLINE(readability-non-const-parameter) */
take_header(char *data, size_t size, size_t count, void *context)
{
	UsHttp	   *http = context;

	(void) data;
	http->header_bytes += size * count;
	if (http->header_bytes > MAX_HEADER_BYTES)
	{
		http->too_large = true;
		return 0;
	}
	return size * count;
}

/* called for each address that is tried, a proxy's too */
static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	UsHttp	   *http = context;

	(void) purpose;
	if (!http->server->allow_private && !us_http_address_is_public(&address->addr))
	{
		http->refused_address = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- making the client ---- */

static bool
add_header(struct curl_slist **list, const char *header)
{
	struct curl_slist *longer = curl_slist_append(*list, header);

	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

static bool
make_headers(UsHttp *http)
{
	static const char *const accept = "Accept: application/json, */*;q=0.5";
	bool		has_accept = false;

	for (int i = 0; i < http->server->nheaders; i++)
	{
		has_accept |= strncasecmp(http->server->headers[i], "accept:", 7) == 0;
		if (!add_header(&http->headers, http->server->headers[i]))
			return false;
	}
	return (has_accept || add_header(&http->headers, accept)) &&
		add_header(&http->plain_headers, accept);
}

/* what is the same for all requests; false when this libcurl lacks something */
static bool
set_options(UsHttp *http)
{
	CURL	   *easy = http->easy;
	const UsHttpServer *server = http->server;
	bool		ok;

	ok = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_USERAGENT, "userstream") == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->curl_error) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long) LOW_SPEED_BYTES) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long) LOW_SPEED_SECONDS) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
		/* an empty one also keeps variables of the environment out */
		curl_easy_setopt(easy, CURLOPT_PROXY, server->proxy ? server->proxy : "") == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_WRITEDATA, http) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_HEADERDATA, http) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, http) == CURLE_OK;
	if (ok && server->ca_file != NULL)
		ok = curl_easy_setopt(easy, CURLOPT_CAINFO, server->ca_file) == CURLE_OK;
	return ok;
}

/* once in a process; false when this libcurl is not what we need */
static bool
prepare_libcurl(char *errstr, size_t errstr_size)
{
	static bool initialized = false;
	int			features = curl_version_info(CURLVERSION_NOW)->features;

	/* without it a name is looked up by this thread, for as long as it takes */
	if ((features & CURL_VERSION_ASYNCHDNS) == 0)
	{
		snprintf(errstr, errstr_size, "libcurl was built without asynchronous name resolution");
		return false;
	}
	/* threads of librdkafka's may run already, and use libcurl for their tokens */
	if ((features & CURL_VERSION_THREADSAFE) == 0)
	{
		snprintf(errstr, errstr_size, "libcurl cannot be initialized beside other threads");
		return false;
	}
	if (!initialized && curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
	{
		snprintf(errstr, errstr_size, "could not initialize libcurl");
		return false;
	}
	initialized = true;
	return true;
}

UsHttp *
us_http_open(const UsHttpServer *server, char *errstr, size_t errstr_size)
{
	UsHttp	   *http;

	if (!prepare_libcurl(errstr, errstr_size))
		return NULL;
	http = calloc(1, sizeof(UsHttp));
	if (http == NULL)
	{
		snprintf(errstr, errstr_size, "out of memory");
		return NULL;
	}
	http->server = server;
	http->multi = curl_multi_init();
	http->easy = curl_easy_init();
	if (http->multi == NULL || http->easy == NULL || !make_headers(http) || !set_options(http))
	{
		snprintf(errstr, errstr_size, "could not set up libcurl %s", curl_version());
		us_http_close(http);
		return NULL;
	}
	return http;
}

/* ---- a request ---- */

static void
remove_handle(UsHttp *http)
{
	if (http->added)
		curl_multi_remove_handle(http->multi, http->easy);
	http->added = false;
}

/* always true: that is what ends the steps */
static bool
fail(UsHttp *http, UsHttpFault fault, const char *text)
{
	remove_handle(http);
	http->response.fault = fault;
	snprintf(http->response.error, sizeof(http->response.error), "%s",
			 us_http_shows_secret(http->server, text) ? "the request failed" : text);
	return true;
}

/* the parameters of the mapping, which stay at home as the headers do */
static char *
add_queries(const UsHttpServer *server, char *url)
{
	for (int i = 0; url != NULL && i < server->nqueries; i++)
	{
		char	   *longer = us_http_url_add(url, server->queries[i]);

		free(url);
		url = longer;
	}
	return url;
}

/* for threads that libcurl may start now: they inherit it */
static void
block_signals(sigset_t *before)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

/* one hop: from the start or from a redirect; false = failed */
static bool
begin_hop(UsHttp *http)
{
	CURL	   *easy = http->easy;
	int64_t		left_ms = http->deadline_ms - now_ms();
	sigset_t	before;

	http->response.size = 0;
	http->header_bytes = 0;
	http->refused_address = false;
	http->curl_error[0] = '\0';
	if (left_ms < 1)
		left_ms = 1;
	curl_easy_setopt(easy, CURLOPT_URL, http->url);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) left_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) http->server->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->trusted ? http->headers : http->plain_headers);
	if (http->is_post)
	{
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
	}
	else
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);

	block_signals(&before);
	http->added = curl_multi_add_handle(http->multi, easy) == CURLM_OK;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!http->added)
		(void) fail(http, US_HTTP_OTHER, "libcurl could not begin the request");
	return http->added;
}

bool
us_http_start(UsHttp *http, const char *url, int timeout_ms)
{
	const UsHttpServer *server = http->server;
	char	   *body = http->response.body;

	remove_handle(http);
	memset(&http->response, 0, sizeof(http->response));
	http->response.body = body;
	http->response.retry_after_ms = -1;
	http->too_large = http->no_memory = false;
	http->redirects = 0;
	if (body == NULL)
	{
		http->response.body = malloc(FIRST_BODY_BYTES);
		http->body_capacity = FIRST_BODY_BYTES;
	}

	http->trusted = us_http_url_same_origin(url, server->url);
	http->is_post = strcmp(server->method, "POST") == 0;
	if (timeout_ms > server->timeout_ms)
		timeout_ms = server->timeout_ms;
	http->deadline_ms = now_ms() + timeout_ms;

	free(http->url);
	http->url = strdup(url);
	if (http->trusted)
		http->url = add_queries(server, http->url);
	http->response.url = http->url;
	if (http->url == NULL || http->response.body == NULL)
		return !fail(http, US_HTTP_OTHER, "out of memory, or not a URL");
	http->response.body[0] = '\0';
	return begin_hop(http);
}

static bool
is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* true when it failed; else the next hop has begun */
static bool
follow_redirect(UsHttp *http, const char *target, long status)
{
	char	   *url;

	if (++http->redirects > MAX_REDIRECTS)
		return fail(http, US_HTTP_REDIRECT, "more than 10 redirects");
	if (us_http_url_problem(target, false) != NULL)
		return fail(http, US_HTTP_REDIRECT,
					"redirected to something that is not an http or https URL without a password");
	url = strdup(target);
	if (url == NULL)
		return fail(http, US_HTTP_OTHER, "out of memory");

	/* once away from home nothing secret goes along, also not back */
	http->trusted = http->trusted && us_http_url_same_origin(http->url, url);
	if (status == 303 || ((status == 301 || status == 302) && http->is_post))
		http->is_post = false;
	remove_handle(http);
	free(http->url);
	http->url = url;
	http->response.url = url;
	return !begin_hop(http);
}

static UsHttpFault
fault_of(CURLcode code)
{
	switch (code)
	{
		case CURLE_COULDNT_RESOLVE_PROXY:
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_CONNECT:
		case CURLE_OPERATION_TIMEDOUT:
		case CURLE_GOT_NOTHING:
		case CURLE_SEND_ERROR:
		case CURLE_RECV_ERROR:
		case CURLE_PARTIAL_FILE:
		case CURLE_HTTP2:
		case CURLE_HTTP2_STREAM:
		case CURLE_SSL_CONNECT_ERROR:
			return US_HTTP_TRANSIENT;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_ISSUER_ERROR:
			return US_HTTP_TLS;
		default:
			return US_HTTP_OTHER;
	}
}

static bool
report_failure(UsHttp *http, CURLcode code)
{
	const char *text = http->curl_error[0] != '\0' ? http->curl_error : curl_easy_strerror(code);
	char		longer[CURL_ERROR_SIZE + 64];

	if (http->too_large && http->header_bytes > MAX_HEADER_BYTES)
		return fail(http, US_HTTP_TOO_LARGE, "the headers of the response are larger than 256 kB");
	if (http->too_large)
	{
		snprintf(longer, sizeof(longer), "the response is larger than %lld bytes",
				 (long long) http->server->max_bytes);
		return fail(http, US_HTTP_TOO_LARGE, longer);
	}
	if (http->no_memory)
		return fail(http, US_HTTP_OTHER, "out of memory");
	if (code == CURLE_COULDNT_CONNECT && http->refused_address)
		return fail(http, US_HTTP_ADDRESS,
					"the address is private, loopback or link-local");
	return fail(http, fault_of(code), text);
}

/* the transfer ended; true when the response is complete or failed */
static bool
end_hop(UsHttp *http, CURLcode code)
{
	long		status = 0;
	curl_off_t	retry_after = 0;
	char	   *content_type = NULL;
	char	   *target = NULL;

	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
	http->response.status = (int) status;
	if (code != CURLE_OK)
		return report_failure(http, code);

	curl_easy_getinfo(http->easy, CURLINFO_REDIRECT_URL, &target);
	if (is_redirect(status) && target != NULL)
		return follow_redirect(http, target, status);

	curl_easy_getinfo(http->easy, CURLINFO_CONTENT_TYPE, &content_type);
	if (content_type != NULL)
		snprintf(http->response.content_type, sizeof(http->response.content_type), "%s",
				 content_type);
	if (curl_easy_getinfo(http->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK &&
		retry_after > 0)
		http->response.retry_after_ms = (int64_t) retry_after * 1000;
	http->response.body[http->response.size] = '\0';
	remove_handle(http);
	return true;
}

bool
us_http_step(UsHttp *http, int wait_ms)
{
	int			running = 0;
	int			left;
	CURLMsg    *message;
	CURLMcode	rc;
	sigset_t	before;

	if (!http->added)
		return true;
	block_signals(&before);
	rc = curl_multi_perform(http->multi, &running);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != CURLM_OK)
		return fail(http, US_HTTP_OTHER, curl_multi_strerror(rc));

	while ((message = curl_multi_info_read(http->multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE)
			return end_hop(http, message->data.result);

	(void) curl_multi_poll(http->multi, NULL, 0, wait_ms, NULL);
	return false;
}

const UsHttpResponse *
us_http_response(const UsHttp *http)
{
	return &http->response;
}

void
us_http_close(UsHttp *http)
{
	if (http == NULL)
		return;
	remove_handle(http);
	if (http->easy != NULL)
		curl_easy_cleanup(http->easy);
	if (http->multi != NULL)
		curl_multi_cleanup(http->multi);
	curl_slist_free_all(http->headers);
	curl_slist_free_all(http->plain_headers);
	free(http->url);
	free(http->response.body);
	free(http);
}
