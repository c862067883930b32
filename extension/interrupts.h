/*-------------------------------------------------------------------------
 * extension/interrupts.h
 *    interrupts, for waits that are no latch waits
 *-------------------------------------------------------------------------
 */
#ifndef US_INTERRUPTS_H
#define US_INTERRUPTS_H

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/pmsignal.h"

/*
 * us_check_interrupts -- CHECK_FOR_INTERRUPTS, and the end when the postmaster is gone
 *
 * For loops that wait in a foreign library, a fraction of a second at a time:
 * a latch wait would see by itself that the postmaster is gone, and as long
 * as a process is left no other can be started.
 */
static inline void
us_check_interrupts(void)
{
	if (!PostmasterIsAlive())
		proc_exit(1);
	CHECK_FOR_INTERRUPTS();
}

#endif							/* US_INTERRUPTS_H */
