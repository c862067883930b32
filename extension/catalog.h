/*-------------------------------------------------------------------------
 * extension/catalog.h
 *    definitions in userstream.* as C structs, and the rights to touch them
 *
 * Our tables belong to the role that owns userstream.stream_position.  Code
 * that runs as a user goes up to that role only around our own statements
 * (us_elevate .. us_restore), with the search path closed, and never while
 * user code can run.
 *-------------------------------------------------------------------------
 */
#ifndef US_CATALOG_H
#define US_CATALOG_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "utils/array.h"
#include "utils/jsonb.h"

/* saved identity between us_elevate and us_restore */
typedef struct UsElevation
{
	Oid			role;
	int			security_context;
	int			guc_nest_level;
} UsElevation;

/*
 * us_elevate -- act as the owner of our tables
 *
 * Needs:   transaction.  An error between the two calls needs no us_restore:
 *          (sub)transaction abort puts role and settings back.
 * Errors:  42P01 when the extension is not (or no longer) there
 */
extern UsElevation us_elevate(void);
extern void us_restore(UsElevation saved);

/* "<system identifier>/<database oid>" of where we are; palloc'd */
extern char *us_home(void);

/*
 * us_catalog_owner -- the role that owns a definition
 *
 * At home the oid counts (it follows a renaming), elsewhere the name.
 * In:      home     NULL = this database
 * Returns: InvalidOid when there is no such role (any more)
 */
extern Oid	us_catalog_owner(const char *owner, Oid owner_oid, const char *home);

/*
 * us_catalog_check_owner -- refuses a role that lacks the rights of a definition's owner
 *
 * In:      kind     stream, feed or mirror; name: which one
 *          owner, owner_oid, home   as for us_catalog_owner
 * Errors:  42501
 */
extern void us_catalog_check_owner(Oid role, const char *kind, const char *name,
								   const char *owner, Oid owner_oid, const char *home);

/*
 * us_catalog_sees -- whether the views show a role what an owner has
 *
 * To the owner's members, members of pg_monitor, and the owner of our tables.
 * In:      owner    as us_catalog_owner gives it
 */
extern bool us_catalog_sees(Oid reader, Oid owner);

/* what becomes of a position that the topic does not hold (any more) */
typedef enum UsOffsetReset
{
	US_RESET_STOP,
	US_RESET_EARLIEST,
	US_RESET_LATEST
} UsOffsetReset;

/* what becomes of a message without a value */
typedef enum UsTombstone
{
	US_TOMBSTONE_IGNORE,		/* counted as skipped */
	US_TOMBSTONE_DEAD_LETTER,
	US_TOMBSTONE_DELETE,		/* mode upsert: its key's row goes */
	US_TOMBSTONE_BY_MODE		/* not said: see us_stream_tombstone */
} UsTombstone;

/* options of a stream, all set */
typedef struct UsStreamOptions
{
	int			batch_rows;		/* messages at most in a batch, 1 .. 1,000,000 */
	int			batch_bytes;	/* bytes of values at most in a batch, 1 kB .. 1 GB */
	int			metadata_refresh_s; /* seconds between two looks at the topic, 1 .. a day */
	UsOffsetReset on_offset_out_of_range;
	int			max_dead_letters_per_minute;	/* -1 = no limit */
	UsTombstone tombstone;
	char	   *filter;			/* function's signature; NULL = none */
	char	   *registry;		/* HTTP server of the schemas; NULL = none */
	bool		explode;		/* a message may hold many documents */
	bool		ignore_conflicts;	/* mode append: a row whose key is there already is skipped */
	bool		refuse_unknown_fields;	/* a field that no column takes is an error */
	/* format csv; NULL = as COPY has it */
	char	   *delimiter;
	char	   *quote;
	char	   *escape;
	char	   *null_text;
	char	   *header;			/* a line of names; NULL = the table's columns */
	bool		notify;			/* NOTIFY with each batch that wrote rows */
} UsStreamOptions;

typedef enum UsOnError
{
	US_ON_ERROR_DEAD_LETTER,
	US_ON_ERROR_STOP
} UsOnError;

/* one row of userstream.stream; names NUL-terminated, NULL where the column is null */
typedef struct UsStream
{
	int64		id;
	char	   *name;
	char	   *owner;			/* role name; owner_oid is what counts at home */
	Oid			owner_oid;
	char	   *server;
	Oid			server_oid;
	char	   *topic;
	char	   *target;			/* schema.table, quoted; target_oid is what counts at home */
	Oid			target_oid;
	char	   *format;
	char	   *mode;
	bool		upsert;			/* mode is upsert */
	char	  **key;			/* columns of the target's key ... */
	int			nkey;			/* ... 0 = its primary key */
	Jsonb	   *columns;
	char	   *transform;		/* function's signature; NULL = none */
	Oid			transform_oid;
	Oid			filter_oid;		/* of options.filter */
	Oid			registry_oid;	/* of options.registry */
	struct UsSchemas *schemas;	/* of its format, in the process that runs it; NULL = none */
	UsOnError	on_error;
	char	   *on_error_given; /* as stored: this version may not know it */
	int			workers;		/* 1 .. US_MAX_WORKERS, whatever the row holds */
	UsStreamOptions options;
	Jsonb	   *options_given;	/* as stored, without those at their default */
	char	   *misfit;			/* what in the row this version cannot follow; NULL = nothing */
	char	   *timezone;		/* of the creator */
	bool		paused;
	char	   *stop_reason;	/* set: a person must look; resume_stream clears it */
	char	   *home;
	int			config_version;
	int			partitions;		/* number of rows in stream_position */
} UsStream;

/* what becomes of a message without a value: as said, else ignored, or a removal in mode upsert */
static inline UsTombstone
us_stream_tombstone(const UsStream *stream)
{
	if (stream->options.tombstone != US_TOMBSTONE_BY_MODE)
		return stream->options.tombstone;
	return stream->upsert ? US_TOMBSTONE_DELETE : US_TOMBSTONE_IGNORE;
}

/*
 * us_extension_hold -- keep the extension from being dropped until the transaction ends
 *
 * DROP EXTENSION locks it before any of our tables.  Who uses several of
 * those in one transaction does the same, so that the two wait for each other
 * here, and not in a deadlock.
 * Returns: false when the extension is not there (any more)
 * Errors:  55P03 while someone drops it
 */
extern bool us_extension_hold(void);

/* reads the columns of a row one after another */
typedef struct UsReader
{
	HeapTuple	tuple;
	TupleDesc	desc;
	int			column;			/* read last; 0 = none */
} UsReader;

extern Datum us_next_value(UsReader *reader);	/* 0 for null */
extern char *us_next_text(UsReader *reader);	/* palloc'd; NULL for null */

/*
 * us_catalog_read -- the rows that a query gives as C structs
 *
 * In:      size    of a struct
 *          read    fills one, which is zero; in the caller's memory context
 * Returns: an array of count structs, palloc'd; NULL when there is none, or
 *          the extension is not there
 * Needs:   transaction
 */
extern void *us_catalog_read(const char *query, int nargs, Oid *types, Datum *values,
							 size_t size, void (*read) (UsReader *reader, void *object),
							 int *count);

/* elements of an array of name or text, palloc'd; a null is an empty name */
extern int	us_catalog_names(ArrayType *array, Oid type, char ***names);

/* every stream of this database, palloc'd; none when the extension is not there */
extern UsStream *us_catalog_streams(int *count);

/* one by id or by name; NULL when there is none */
extern UsStream *us_catalog_stream(int64 id);
extern UsStream *us_catalog_stream_by_name(const char *name);

/* whether a definition was made, or adopted, in this database; only then its oids count */
extern bool us_stream_at_home(const UsStream *stream);

/*
 * us_stream_problem -- why a stream cannot run, apart from being paused
 *
 * Looks at home, misfit, stop_reason, owner (exists, LOGIN, CONNECT), server (exists,
 * USAGE) and target (exists).
 * Returns: NULL when nothing is wrong, else a sentence for last_error that
 *          also says which call continues; palloc'd
 */
extern char *us_stream_problem(const UsStream *stream);

/* what streams and mirrors have in common */
typedef struct UsDefinition
{
	const char *kind;			/* stream, mirror */
	const char *name;
	const char *owner;
	Oid			owner_oid;
	const char *server;
	Oid			server_oid;
	const char *another_server; /* arguments of alter_* that name one */
} UsDefinition;

/*
 * us_definition_problem -- whether owner and server let a definition run
 *
 * Looks at the owner (exists, LOGIN, CONNECT) and the server (exists, USAGE).
 * Returns: as us_stream_problem
 */
extern char *us_definition_problem(const UsDefinition *definition);

/* why no worker at all can run on this server now; NULL = nothing is in the way */
extern const char *us_server_note(void);

/*
 * us_parse_stream_options -- check and read the options of a stream
 *
 * In:      options; NULL = all defaults
 * Errors:  HV00D unknown option (hint: the nearest name); 0A000 an option
 *          that is not built yet; 22023 a value out of range
 */
extern void us_parse_stream_options(Jsonb *options, UsStreamOptions *result);

/* options with one of them as this text, the others as they are; palloc'd */
extern Jsonb *us_set_stream_option(Jsonb *options, const char *name, const char *value);

/*
 * us_read_stream_options -- the same for options of a stored definition
 *
 * Out:     option  the wrong one; NULL when it is not about one
 * Returns: NULL, or what is wrong, palloc'd; then the wrong option and those
 *          after it have their defaults
 * Errors:  none raised for what options hold
 */
extern char *us_read_stream_options(Jsonb *options, UsStreamOptions *result,
									const char **option);

/*
 * us_check_target -- whether a relation can be the target of a stream
 *
 * Permanent, logged, ordinary or partitioned table, all leaves too.
 * Errors:  42809 with detail and hint; 42P01 when it is not there
 * Needs:   a lock on the relation, or willingness to look again
 */
extern void us_check_target(Oid target);

/* schema.relation, quoted where needed, palloc'd; NULL when it is not there */
extern char *us_qualified_name(Oid relid);

#endif							/* US_CATALOG_H */
