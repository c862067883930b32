/*-------------------------------------------------------------------------
 * dashboard/shared.h
 *    a page made for one reader serves others for a second
 *
 * Fifty people who look at one page cost the database one look a second.
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_SHARED_H
#define US_DASHBOARD_SHARED_H

#include "dashboard/reply.h"

/* fills reply with what is kept, whose body stays ours */
extern bool us_shared_find(const UsRequest *request, UsReply *reply);

/* takes over the body: keeps it if it may be shared, else frees it */
extern void us_shared_keep(const UsRequest *request, UsReply *reply);

#endif							/* US_DASHBOARD_SHARED_H */
