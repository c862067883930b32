/*-------------------------------------------------------------------------
 * test/servers/slow_names.c
 *    name resolution that hangs for one name; to be preloaded into a server
 *
 * A resolver that does not answer cannot be had without root, so its place is
 * taken by one that sleeps.
 *-------------------------------------------------------------------------
 */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define HANGING_NAME	"hang.invalid"
#define HANG_SECONDS	300

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
			struct addrinfo **result)
{
	int			(*real) (const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (node != NULL && strcmp(node, HANGING_NAME) == 0)
		sleep(HANG_SECONDS);
	*(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, result);
}
