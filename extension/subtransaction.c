/*-------------------------------------------------------------------------
 * extension/subtransaction.c
 *    try something, and go on when it fails
 *
 * An error can only be caught together with what it left half done: locks,
 * snapshots, SPI connections.  A subtransaction takes all that back.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "extension/subtransaction.h"
#include "utils/resowner.h"

ErrorData *
us_try(void (*work) (void *argument), void *argument)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		work(argument);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

void
us_do(void (*work) (void *argument), void *argument)
{
	ErrorData  *error = us_try(work, argument);

	if (error != NULL)
		ReThrowError(error);
}
