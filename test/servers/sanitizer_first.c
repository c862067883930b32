/*-------------------------------------------------------------------------
 * test/servers/sanitizer_first.c
 *    a library that has the address sanitizer begin before all others do
 *
 * Loaded before a server that is watched (test/servers/tree), and linked to
 * be initialized first.  The sanitizer begins at the first malloc, and looks
 * up names then; if that is in the constructor of GnuTLS, which holds a lock
 * of gettext's meanwhile, the messages of names that do not exist release that
 * lock, and the next who wants it waits for ever.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

static void begin(void) __attribute__((constructor));

static void
begin(void)
{
	void	   *volatile block = malloc(1);

	free(block);
}
