/*-------------------------------------------------------------------------
 * extension/args.h
 *    arguments that several functions take, checked the same way
 *-------------------------------------------------------------------------
 */
#ifndef US_ARGS_H
#define US_ARGS_H

#include "extension/compat.h"
#include "fmgr.h"

/* raises 22004 for an argument that has no default */
pg_noreturn extern void us_args_refuse_null(const char *argument);

/* a text argument, palloc'd; missing where it is null (NULL: then NULL) */
extern char *us_args_text(FunctionCallInfo fcinfo, int arg, const char *missing);

/*
 * us_args_check_name -- whether a definition may have this name
 *
 * In:      kind   stream, feed or mirror
 * Errors:  42602, 42622
 */
extern void us_args_check_name(const char *kind, const char *name);

/* whether a Kafka topic can have this name; 22023 */
extern void us_args_check_topic(const char *topic);

#endif							/* US_ARGS_H */
