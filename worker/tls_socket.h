/*-------------------------------------------------------------------------
 * worker/tls_socket.h
 *    TLS over a socket that does not block
 *
 * Pure C; calls nothing of PostgreSQL.
 *-------------------------------------------------------------------------
 */
#ifndef US_TLS_SOCKET_H
#define US_TLS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct UsTls UsTls;

typedef enum UsTlsResult
{
	US_TLS_OK,
	US_TLS_AGAIN,				/* when the socket is readable, or as us_tls_wants_write says */
	US_TLS_CLOSED,				/* the other side ended it */
	US_TLS_FAILED				/* error says why */
} UsTlsResult;

/*
 * us_tls_create -- a client's side over a connected socket
 *
 * In:      host      name or address that the certificate must be for
 *          ca_file   whose certificates are trusted; NULL = the system's
 * Out:     error     on failure (NULL), for people
 * The certificate is always verified.
 */
extern UsTls *us_tls_create(int fd, const char *host, const char *ca_file,
							char *error, size_t error_size);
extern void us_tls_free(UsTls *tls);

extern UsTlsResult us_tls_read(UsTls *tls, void *data, size_t len, size_t *got);
extern UsTlsResult us_tls_write(UsTls *tls, const void *data, size_t len, size_t *sent);

/* whether the last AGAIN waits for the socket to take bytes */
extern bool us_tls_wants_write(const UsTls *tls);

/* whether there are bytes to be read without the socket */
extern bool us_tls_has_pending(const UsTls *tls);

/* why it failed; a buffer of tls */
extern const char *us_tls_error(const UsTls *tls);

#endif							/* US_TLS_SOCKET_H */
