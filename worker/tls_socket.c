/*-------------------------------------------------------------------------
 * worker/tls_socket.c
 *    TLS over a socket that does not block
 *
 * Runs in mirror workers.  The handshake happens in the first reads and
 * writes.  PostgreSQL itself links the same OpenSSL.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "worker/tls_socket.h"

struct UsTls
{
	SSL_CTX    *context;
	SSL		   *ssl;
	bool		wants_write;
	char		error[256];
};

static void
take_error(char *error, size_t size, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

	snprintf(error, size, "%s: %s", what, reason != NULL ? reason : "unknown error");
	ERR_clear_error();
}

/* the name in the certificate, and the one asked for among many on one address */
static bool
expect_host(SSL *ssl, const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];
	X509_VERIFY_PARAM *expected = SSL_get0_param(ssl);

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(expected, host) == 1;
	return X509_VERIFY_PARAM_set1_host(expected, host, 0) == 1 &&
		SSL_set_tlsext_host_name(ssl, host) == 1;
}

UsTls *
us_tls_create(int fd, const char *host, const char *ca_file, char *error, size_t error_size)
{
	UsTls	   *tls = calloc(1, sizeof(UsTls));

	if (tls == NULL)
	{
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	ERR_clear_error();
	tls->context = SSL_CTX_new(TLS_client_method());
	if (tls->context == NULL || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
		take_error(error, error_size, "could not set up TLS");
	else if ((ca_file != NULL ? SSL_CTX_load_verify_locations(tls->context, ca_file, NULL) :
			  SSL_CTX_set_default_verify_paths(tls->context)) != 1)
		take_error(error, error_size, "could not read the certificates to trust");
	else if ((tls->ssl = SSL_new(tls->context)) == NULL || SSL_set_fd(tls->ssl, fd) != 1 ||
			 !expect_host(tls->ssl, host))
		take_error(error, error_size, "could not set up TLS");
	else
	{
		SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, NULL);
		SSL_set_mode(tls->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		SSL_set_connect_state(tls->ssl);
		return tls;
	}
	us_tls_free(tls);
	return NULL;
}

void
us_tls_free(UsTls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	SSL_CTX_free(tls->context);
	free(tls);
}

static UsTlsResult
judge(UsTls *tls, int result)
{
	long		verdict;

	tls->wants_write = false;
	switch (SSL_get_error(tls->ssl, result))
	{
		case SSL_ERROR_WANT_READ:
			return US_TLS_AGAIN;
		case SSL_ERROR_WANT_WRITE:
			tls->wants_write = true;
			return US_TLS_AGAIN;
		case SSL_ERROR_ZERO_RETURN:
			return US_TLS_CLOSED;
		case SSL_ERROR_SYSCALL:
			if (ERR_peek_error() == 0)
			{
				if (errno == 0)
					return US_TLS_CLOSED;
				snprintf(tls->error, sizeof(tls->error), "%s", strerror(errno));
				return US_TLS_FAILED;
			}
			break;
		default:
			break;
	}
	verdict = SSL_get_verify_result(tls->ssl);
	if (verdict != X509_V_OK)
		snprintf(tls->error, sizeof(tls->error), "the certificate is not trusted: %s",
				 X509_verify_cert_error_string(verdict));
	else
		take_error(tls->error, sizeof(tls->error), "TLS failed");
	ERR_clear_error();
	return US_TLS_FAILED;
}

UsTlsResult
us_tls_read(UsTls *tls, void *data, size_t len, size_t *got)
{
	int			result;

	ERR_clear_error();
	errno = 0;
	result = SSL_read_ex(tls->ssl, data, len, got);
	return result == 1 ? US_TLS_OK : judge(tls, result);
}

UsTlsResult
us_tls_write(UsTls *tls, const void *data, size_t len, size_t *sent)
{
	int			result;

	ERR_clear_error();
	errno = 0;
	result = SSL_write_ex(tls->ssl, data, len, sent);
	return result == 1 ? US_TLS_OK : judge(tls, result);
}

bool
us_tls_wants_write(const UsTls *tls)
{
	return tls->wants_write;
}

bool
us_tls_has_pending(const UsTls *tls)
{
	return SSL_pending(tls->ssl) > 0;
}

const char *
us_tls_error(const UsTls *tls)
{
	return tls->error;
}
