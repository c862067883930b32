/*-------------------------------------------------------------------------
 * worker/tls_socket.h
 *    a client's socket that does not block, with TLS over it or without
 *
 * Pure C; calls nothing of PostgreSQL.  The caller waits for the descriptor.
 *-------------------------------------------------------------------------
 */
#ifndef US_TLS_SOCKET_H
#define US_TLS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

struct addrinfo;

typedef struct UsSocket UsSocket;

typedef enum UsSocketResult
{
	US_SOCKET_OK,
	US_SOCKET_AGAIN,			/* when it is readable, or as us_socket_wants_write says */
	US_SOCKET_CLOSED,			/* the other side ended it */
	US_SOCKET_FAILED			/* us_socket_error says why */
} UsSocketResult;

/*
 * us_socket_connect -- begins to connect
 *
 * Out:     error   on failure (NULL), for people
 * It is connected, or has failed, when it is writable: us_socket_connected.
 */
extern UsSocket *us_socket_connect(const struct addrinfo *address, char *error,
								   size_t error_size);

/* false = it could not be connected */
extern bool us_socket_connected(UsSocket *sock);

/*
 * us_socket_start_tls -- what follows is encrypted
 *
 * In:      host      name or address that the certificate must be for
 *          ca_file   whose certificates are trusted; NULL = the system's
 * The certificate is always verified; the handshake happens in the first reads
 * and writes.  False = us_socket_error says why.
 */
extern bool us_socket_start_tls(UsSocket *sock, const char *host, const char *ca_file);

/* NULL is taken */
extern void us_socket_free(UsSocket *sock);

/* of at least one byte when US_SOCKET_OK */
extern UsSocketResult us_socket_read(UsSocket *sock, void *data, size_t len, size_t *got);
extern UsSocketResult us_socket_write(UsSocket *sock, const void *data, size_t len,
									  size_t *sent);

/* whether an AGAIN waits for the descriptor to take bytes */
extern bool us_socket_wants_write(const UsSocket *sock);

/* whether there are bytes to be read that the descriptor does not tell of */
extern bool us_socket_has_pending(const UsSocket *sock);

extern int	us_socket_descriptor(const UsSocket *sock);

/* why it failed; a buffer of the socket */
extern const char *us_socket_error(const UsSocket *sock);

#endif							/* US_TLS_SOCKET_H */
