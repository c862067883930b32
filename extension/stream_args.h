/*-------------------------------------------------------------------------
 * extension/stream_args.h
 *    a definition to be, from the arguments of create_stream and alter_stream
 *-------------------------------------------------------------------------
 */
#ifndef US_STREAM_ARGS_H
#define US_STREAM_ARGS_H

#include "extension/catalog.h"
#include "extension/stream_start.h"
#include "fmgr.h"

#define US_MAX_WORKERS		64	/* of one stream */

/* palloc'd; all set but where NULL is said to mean something */
typedef struct UsStreamArgs
{
	char	   *name;
	char	   *server;
	char	   *topic;
	Oid			target;
	char	   *format;
	char	   *mode;
	char	  **key;
	int			nkey;			/* 0 = the target's primary key */
	Jsonb	   *columns;		/* NULL = each column by its name */
	char	   *transform;		/* NULL = none; qualified by us_stream_check_target ... */
	Oid			transform_oid;	/* ... which sets this too; before it, the one that stays */
	Oid			filter_oid;		/* the same of option filter */
	Oid			registry_oid;	/* of option registry; us_stream_check_target sets it */
	UsStart    *start;			/* NULL = positions stay (alter_stream only) */
	char	   *on_error;		/* dead_letter or stop */
	int			workers;
	Jsonb	   *options;		/* checked; may hold JSON nulls; NULL = all defaults */
} UsStreamArgs;

/* number of the argument after those that both functions have */
#define US_STREAM_ARG_LAST	13
#define US_STREAM_ARG_OPTIONS	(US_STREAM_ARG_LAST - 1)

/*
 * us_stream_args_create -- take and check what can be checked without looking
 * at anything but the arguments; a null where there is a default means the
 * default
 *
 * Errors:  22004 a required one is null; 22023, HV00D a value that means
 *          nothing; 0A000 one that is not built yet (all with a hint)
 */
extern void us_stream_args_create(FunctionCallInfo fcinfo, UsStreamArgs *args);

/* whether format, mode or on_error can have this value now */
extern bool us_stream_word_is_known(const char *argument, const char *word);

/*
 * us_stream_args_alter -- the same over what a stream has; a null keeps it
 *
 * Errors:  the same
 */
extern void us_stream_args_alter(FunctionCallInfo fcinfo, const UsStream *stream,
								 UsStreamArgs *args);

/* what a stream has, under the name that its server has now */
extern void us_stream_args_of(const UsStream *stream, UsStreamArgs *args);

/* argument number 0, a stream's name; 22004 when null */
extern char *us_stream_name_arg(FunctionCallInfo fcinfo);

#endif							/* US_STREAM_ARGS_H */
