/*-------------------------------------------------------------------------
 * extension/stream_args.h
 *    the arguments of create_stream as C values
 *-------------------------------------------------------------------------
 */
#ifndef US_STREAM_ARGS_H
#define US_STREAM_ARGS_H

#include "fmgr.h"
#include "utils/jsonb.h"

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
	Jsonb	   *columns;		/* NULL = each column by its name */
	char	   *start_at;		/* earliest or latest */
	char	   *on_error;		/* dead_letter or stop */
	int			workers;
	Jsonb	   *options;		/* checked; NULL = all defaults */
	bool		if_not_exists;
} UsStreamArgs;

/*
 * us_stream_args_read -- take and check what can be checked without looking
 * at anything but the arguments
 *
 * Errors:  22004 a required one is null; 22023, HV00D a value that means
 *          nothing; 0A000 one that is not built yet (all with a hint)
 */
extern void us_stream_args_read(FunctionCallInfo fcinfo, UsStreamArgs *args);

/* whether format, mode or on_error can have this value now */
extern bool us_stream_word_is_known(const char *argument, const char *word);

/* argument number 0, a stream's name, of the other functions; 22004 when null */
extern char *us_stream_name_arg(FunctionCallInfo fcinfo);

#endif							/* US_STREAM_ARGS_H */
