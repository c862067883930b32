/*-------------------------------------------------------------------------
 * extension/stream_check.h
 *    whether an owner may have a stream into a target
 *-------------------------------------------------------------------------
 */
#ifndef US_STREAM_CHECK_H
#define US_STREAM_CHECK_H

#include "extension/stream_args.h"

/* workers connect as the owner: 42501 without LOGIN or CONNECT */
extern void us_stream_check_owner(Oid owner);

/*
 * us_stream_check_target -- kind, columns and privileges of the target
 *
 * In:      args       target, format and columns of the definition
 *          keep_lock  makes the result hold until the transaction ends
 * Errors:  42704, 42809, 42501 server of the schema registry;
 *          42P01, 42809 (us_check_target); 42703, 428C9, 22023 columns;
 *          42501 USAGE on the schema or INSERT; 42883, 42P13 filter and
 *          transform (each with a hint)
 * Out:     args       filter and transform by their full names, and their oids and
 *                     that of the registry
 */
extern void us_stream_check_target(UsStreamArgs *args, Oid owner, bool keep_lock);

/*
 * us_stream_ask_registry -- whether the schema registry answers, where there is one
 *
 * Waits for ten seconds at most, cancellable.
 * Errors:  42704, 42809, 42501 the server; 08006 it does not answer as one
 */
extern void us_stream_ask_registry(const UsStreamArgs *args, Oid owner);

/* a definition that nothing acts on is no error, but a surprise: WARNING */
extern void us_stream_warn_idle(const char *name);

#endif							/* US_STREAM_CHECK_H */
