/*-------------------------------------------------------------------------
 * extension/http_secret.h
 *    whether a text would show what a user mapping keeps
 *
 * Pure C.
 *-------------------------------------------------------------------------
 */
#ifndef US_HTTP_SECRET_H
#define US_HTTP_SECRET_H

#include <stdbool.h>

#include "extension/http_client.h"

/*
 * us_http_shows_secret -- whether a text holds a header or parameter of the mapping
 *
 * By its value, the last word of it, and either as they stand in a URL.
 */
extern bool us_http_shows_secret(const UsHttpServer *server, const char *text);

#endif							/* US_HTTP_SECRET_H */
