/*-------------------------------------------------------------------------
 * worker/alloc.h
 *    memory that lives as long as another allocation
 *
 * Parts that build both in the server and in the unit tests keep state which
 * grows while some short-lived memory context is current.  What they add to
 * an object must come from the context of that object, not from the current
 * one.
 *-------------------------------------------------------------------------
 */
#ifndef US_ALLOC_H
#define US_ALLOC_H

#ifdef FRONTEND
#define us_alloc_beside(owner, size) \
	((void) (owner), palloc(size))
#else
#include "utils/memutils.h"

#define us_alloc_beside(owner, size) \
	MemoryContextAlloc(GetMemoryChunkContext(owner), (size))
#endif

#endif							/* US_ALLOC_H */
