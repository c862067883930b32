/*-------------------------------------------------------------------------
 * worker/tls_socket.c
 *    a client's socket that does not block, with TLS over it or without
 *
 * Runs in mirror workers.  PostgreSQL itself links the same OpenSSL.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "worker/tls_socket.h"

struct UsSocket
{
	int			fd;
	SSL_CTX    *context;		/* NULL = no TLS */
	SSL		   *ssl;
	bool		read_wants_write;	/* the last read waits for room to write */
	bool		write_wants_write;	/* the last write does */
	char		error[256];
};

UsSocket *
us_socket_connect(const struct addrinfo *address, char *error, size_t error_size)
{
	UsSocket   *sock = calloc(1, sizeof(UsSocket));
	int			on = 1;

	if (sock == NULL)
	{
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	sock->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd >= 0)
	{
		(void) setsockopt(sock->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void) setsockopt(sock->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		if (connect(sock->fd, address->ai_addr, address->ai_addrlen) == 0 ||
			errno == EINPROGRESS)
			return sock;
	}
	snprintf(error, error_size, "%s", strerror(errno));
	us_socket_free(sock);
	return NULL;
}

static void
take_errno(UsSocket *sock, int error)
{
	snprintf(sock->error, sizeof(sock->error), "%s", strerror(error));
}

bool
us_socket_connected(UsSocket *sock)
{
	int			error = 0;
	socklen_t	len = sizeof(error);

	if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0)
		take_errno(sock, error);
	return error == 0;
}

static void
take_tls_error(UsSocket *sock, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

	if (ERR_GET_LIB(code) == ERR_LIB_SSL && (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ||
											 ERR_GET_REASON(code) == SSL_R_PACKET_LENGTH_TOO_LONG))
		reason = "the answer is no TLS";
	snprintf(sock->error, sizeof(sock->error), "%s: %s", what,
			 reason != NULL ? reason : "unknown error");
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

bool
us_socket_start_tls(UsSocket *sock, const char *host, const char *ca_file)
{
	ERR_clear_error();
	sock->context = SSL_CTX_new(TLS_client_method());
	if (sock->context == NULL || SSL_CTX_set_min_proto_version(sock->context, TLS1_2_VERSION) != 1)
		take_tls_error(sock, "could not set up TLS");
	else if ((ca_file != NULL ? SSL_CTX_load_verify_locations(sock->context, ca_file, NULL) :
			  SSL_CTX_set_default_verify_paths(sock->context)) != 1)
		take_tls_error(sock, "could not read the certificates to trust");
	else if ((sock->ssl = SSL_new(sock->context)) == NULL ||
			 SSL_set_fd(sock->ssl, sock->fd) != 1 || !expect_host(sock->ssl, host))
		take_tls_error(sock, "could not set up TLS");
	else
	{
		SSL_set_verify(sock->ssl, SSL_VERIFY_PEER, NULL);
		SSL_set_mode(sock->ssl,
					 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		SSL_set_connect_state(sock->ssl);
		return true;
	}
	return false;
}

void
us_socket_free(UsSocket *sock)
{
	if (sock == NULL)
		return;
	SSL_free(sock->ssl);
	SSL_CTX_free(sock->context);
	if (sock->fd >= 0)
		close(sock->fd);
	free(sock);
}

/* what it means that OpenSSL did nothing */
static UsSocketResult
judge_tls(UsSocket *sock, int result, bool *wants_write)
{
	long		verdict;

	switch (SSL_get_error(sock->ssl, result))
	{
		case SSL_ERROR_WANT_READ:
			return US_SOCKET_AGAIN;
		case SSL_ERROR_WANT_WRITE:
			*wants_write = true;
			return US_SOCKET_AGAIN;
		case SSL_ERROR_ZERO_RETURN:
			return US_SOCKET_CLOSED;
		case SSL_ERROR_SYSCALL:
			if (ERR_peek_error() == 0)
			{
				if (errno == 0)
					return US_SOCKET_CLOSED;
				take_errno(sock, errno);
				return US_SOCKET_FAILED;
			}
			break;
		default:
			break;
	}
	verdict = SSL_get_verify_result(sock->ssl);
	if (verdict == X509_V_OK)
		take_tls_error(sock, "TLS failed");
	else
		snprintf(sock->error, sizeof(sock->error), "the certificate is not trusted: %s",
				 X509_verify_cert_error_string(verdict));
	ERR_clear_error();
	return US_SOCKET_FAILED;
}

static UsSocketResult
judge_errno(UsSocket *sock, int error, bool *wants_write)
{
	if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR)
	{
		if (wants_write != NULL)
			*wants_write = true;
		return US_SOCKET_AGAIN;
	}
	take_errno(sock, error);
	return US_SOCKET_FAILED;
}

UsSocketResult
us_socket_read(UsSocket *sock, void *data, size_t len, size_t *got)
{
	ssize_t		result;

	errno = 0;
	sock->read_wants_write = false;
	if (sock->ssl != NULL)
	{
		ERR_clear_error();
		if (SSL_read_ex(sock->ssl, data, len, got) == 1)
			return US_SOCKET_OK;
		return judge_tls(sock, 0, &sock->read_wants_write);
	}
	result = recv(sock->fd, data, len, 0);
	if (result < 0)
		return judge_errno(sock, errno, NULL);
	*got = (size_t) result;
	return result > 0 ? US_SOCKET_OK : US_SOCKET_CLOSED;
}

UsSocketResult
us_socket_write(UsSocket *sock, const void *data, size_t len, size_t *sent)
{
	ssize_t		result;

	errno = 0;
	sock->write_wants_write = false;
	if (sock->ssl != NULL)
	{
		ERR_clear_error();
		if (SSL_write_ex(sock->ssl, data, len, sent) == 1)
			return US_SOCKET_OK;
		return judge_tls(sock, 0, &sock->write_wants_write);
	}
	result = send(sock->fd, data, len, MSG_NOSIGNAL);
	if (result >= 0)
	{
		*sent = (size_t) result;
		return US_SOCKET_OK;
	}
	/* reading tells of the end, after what the other side said before it */
	if (errno == EPIPE || errno == ECONNRESET)
		return US_SOCKET_AGAIN;
	return judge_errno(sock, errno, &sock->write_wants_write);
}

bool
us_socket_wants_write(const UsSocket *sock)
{
	return sock->read_wants_write || sock->write_wants_write;
}

bool
us_socket_has_pending(const UsSocket *sock)
{
	return sock->ssl != NULL && SSL_pending(sock->ssl) > 0;
}

int
us_socket_descriptor(const UsSocket *sock)
{
	return sock->fd;
}

const char *
us_socket_error(const UsSocket *sock)
{
	return sock->error;
}
