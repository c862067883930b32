/*-------------------------------------------------------------------------
 * test/servers/slow_names.c
 *    name resolution that hangs for one name, and knows two addresses of another;
 *    to be preloaded into a server
 *
 * A resolver that does not answer cannot be had without root, so its place is
 * taken by one that sleeps; who does not wait for the answer never gets one.
 *-------------------------------------------------------------------------
 */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define HANGING_NAME	"hang.invalid"
#define HANG_SECONDS	300
#define DOUBLE_NAME		"two.invalid"	/* 127.0.0.2, then 127.0.0.1 */

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
			struct addrinfo **result)
{
	int			(*real) (const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (node != NULL && strcmp(node, HANGING_NAME) == 0 &&
		(hints == NULL || (hints->ai_flags & AI_NUMERICHOST) == 0))
		sleep(HANG_SECONDS);
	*(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, result);
}

int
getaddrinfo_a(int mode, struct gaicb *list[], int n, struct sigevent *event)
{
	int			(*real) (int, struct gaicb **, int, struct sigevent *);

	if (n == 1 && strcmp(list[0]->ar_name, HANGING_NAME) == 0)
	{
		list[0]->__return = EAI_INPROGRESS;
		if (mode == GAI_WAIT)
			sleep(HANG_SECONDS);
		return 0;
	}
	if (n == 1 && strcmp(list[0]->ar_name, DOUBLE_NAME) == 0)
	{
		list[0]->__return = getaddrinfo("127.0.0.2", list[0]->ar_service, list[0]->ar_request,
										&list[0]->ar_result);
		if (list[0]->__return == 0)
			list[0]->__return = getaddrinfo("127.0.0.1", list[0]->ar_service,
											list[0]->ar_request, &list[0]->ar_result->ai_next);
		return 0;
	}
	*(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo_a");
	return real(mode, list, n, event);
}
