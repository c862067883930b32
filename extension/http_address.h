/*-------------------------------------------------------------------------
 * extension/http_address.h
 *    which network addresses an API may have
 *-------------------------------------------------------------------------
 */
#ifndef US_HTTP_ADDRESS_H
#define US_HTTP_ADDRESS_H

#include <stdbool.h>

struct sockaddr;

/*
 * us_http_address_is_public -- whether an address is one of the open internet
 *
 * False for private, loopback, link-local, shared, reserved, documentation
 * and multicast addresses, also where IPv6 carries such a one of IPv4, and
 * for whatever is not an address of the internet.
 * Source:  IANA's IPv4 and IPv6 special-purpose address registries
 * Errors:  none; never blocks, never allocates
 */
extern bool us_http_address_is_public(const struct sockaddr *address);

#endif							/* US_HTTP_ADDRESS_H */
