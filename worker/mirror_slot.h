/*-------------------------------------------------------------------------
 * worker/mirror_slot.h
 *    replication slots of mirrors that are no more
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_SLOT_H
#define US_MIRROR_SLOT_H

#include "extension/mirror.h"

/*
 * us_mirror_slots_clean -- drop this database's slots that no mirror of the list has
 *
 * Runs in the supervisor, outside of transactions.
 * Returns: false when one of them is still in use: to be called again soon
 */
extern bool us_mirror_slots_clean(const UsMirror *mirrors, int nmirrors);

#endif							/* US_MIRROR_SLOT_H */
