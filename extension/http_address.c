/*-------------------------------------------------------------------------
 * extension/http_address.c
 *    which network addresses an API may have
 *
 * Asked at connect time, of the address that is really connected to: a name
 * can mean another address each time it is looked up.  Pure C, sockets only.
 *-------------------------------------------------------------------------
 */
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "extension/http_address.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/* first bits of an address; all others of a block are anything */
typedef struct Block4
{
	uint32_t	first;
	int			bits;
} Block4;

typedef struct Block6
{
	uint8_t		first[8];
	int			bits;			/* at most 64 */
} Block6;

#define IP4(a, b, c, d) ((uint32_t) (a) << 24 | (b) << 16 | (c) << 8 | (d))

static const Block4 special4[] = {
	{IP4(0, 0, 0, 0), 8},		/* this network */
	{IP4(10, 0, 0, 0), 8},		/* private */
	{IP4(100, 64, 0, 0), 10},	/* shared by a provider's customers */
	{IP4(127, 0, 0, 0), 8},		/* loopback */
	{IP4(169, 254, 0, 0), 16},	/* link-local, cloud metadata */
	{IP4(172, 16, 0, 0), 12},	/* private */
	{IP4(192, 0, 0, 0), 24},	/* protocol assignments */
	{IP4(192, 0, 2, 0), 24},	/* documentation */
	{IP4(192, 88, 99, 0), 24},	/* 6to4 relays */
	{IP4(192, 168, 0, 0), 16},	/* private */
	{IP4(198, 18, 0, 0), 15},	/* benchmarking */
	{IP4(198, 51, 100, 0), 24}, /* documentation */
	{IP4(203, 0, 113, 0), 24},	/* documentation */
	{IP4(224, 0, 0, 0), 4},		/* multicast */
	{IP4(240, 0, 0, 0), 4},		/* reserved, broadcast */
};

/* within 2000::/3; nothing outside it is public */
static const Block6 special6[] = {
	{{0x20, 0x01, 0x00, 0x00}, 23}, /* protocol assignments, Teredo */
	{{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
	{{0x3f, 0xff, 0x00, 0x00}, 20}, /* documentation */
};

static bool
is_public4(uint32_t address)
{
	for (size_t i = 0; i < COUNT(special4); i++)
		if ((address ^ special4[i].first) >> (32 - special4[i].bits) == 0)
			return false;
	return true;
}

static bool
is_in_block(const uint8_t *address, const Block6 *block)
{
	int			bytes = block->bits / 8;
	int			rest = block->bits % 8;

	if (memcmp(address, block->first, (size_t) bytes) != 0)
		return false;
	return rest == 0 || (address[bytes] ^ block->first[bytes]) >> (8 - rest) == 0;
}

/* four bytes of an IPv6 address that are one of IPv4 */
static bool
is_public_within(const uint8_t *bytes)
{
	return is_public4(IP4(bytes[0], bytes[1], bytes[2], bytes[3]));
}

static bool
is_public6(const uint8_t *address)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	static const uint8_t translated[12] = {0x00, 0x64, 0xff, 0x9b};

	if (memcmp(address, mapped, sizeof(mapped)) == 0 ||
		memcmp(address, translated, sizeof(translated)) == 0)
		return is_public_within(address + 12);
	if (address[0] == 0x20 && address[1] == 0x02)	/* 6to4 */
		return is_public_within(address + 2);
	if (address[0] >> 5 != 1)	/* 2000::/3 */
		return false;
	for (size_t i = 0; i < COUNT(special6); i++)
		if (is_in_block(address, &special6[i]))
			return false;
	return true;
}

bool
us_http_address_is_public(const struct sockaddr *address)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	switch (address->sa_family)
	{
		case AF_INET:
			memcpy(&in4, address, sizeof(in4));
			return is_public4(ntohl(in4.sin_addr.s_addr));
		case AF_INET6:
			memcpy(&in6, address, sizeof(in6));
			return is_public6(in6.sin6_addr.s6_addr);
		default:
			return false;
	}
}
