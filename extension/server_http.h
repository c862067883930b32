/*-------------------------------------------------------------------------
 * extension/server_http.h
 *    options of servers of userstream_http and of their user mappings
 *-------------------------------------------------------------------------
 */
#ifndef US_SERVER_HTTP_H
#define US_SERVER_HTTP_H

#include "extension/http_client.h"
#include "extension/server.h"

/*
 * us_server_http_check, us_mapping_http_check -- whether these can be set
 *
 * Errors:  HV00D, 22023 (HV024), 42501; statement and context hidden
 */
extern void us_server_http_check(const UsOptionList *options);
extern void us_mapping_http_check(const UsOptionList *options);

/*
 * us_server_http_read -- options of server and mapping together
 *
 * Out:     server   strings are those of the options, or constants
 * Errors:  as the checks, for options that no validator of ours has seen
 */
extern void us_server_http_read(const UsOptionList *options, UsHttpServer *server);

#endif							/* US_SERVER_HTTP_H */
