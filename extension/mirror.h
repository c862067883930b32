/*-------------------------------------------------------------------------
 * extension/mirror.h
 *    definitions of mirrors as C structs: reading, checking, finding them
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_H
#define US_MIRROR_H

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "utils/jsonb.h"

/* one row of userstream.mirror with its position; NULL where the column is null */
typedef struct UsMirror
{
	int64		id;
	char	   *name;
	char	   *owner;			/* role name; owner_oid is what counts at home */
	Oid			owner_oid;
	char	   *target;			/* schema.table, quoted; target_oid is what counts at home */
	Oid			target_oid;
	char	   *server;
	Oid			server_oid;
	char	   *keyspace;
	char	   *table_name;
	Jsonb	   *columns;
	bool		create_table;
	bool		copy_data;
	Jsonb	   *options;		/* as stored */
	char	   *timezone;		/* of the creator */
	bool		paused;
	char	   *stop_reason;	/* set: a person must look; resume_mirror clears it */
	char	   *home;
	int			config_version;

	XLogRecPtr	lsn;			/* invalid: the rows are to be copied first */
	int64		last_timestamp; /* microseconds since 1970; 0 = none yet */
	int64		epoch;
	bool		clear_first;	/* empty the Cassandra table before the copy */
	Jsonb	   *shape;
} UsMirror;

#define US_MIRROR_NAME_LEN	64

/* the slot's name is unique in the cluster, the publication's in the database; of a buffer given */
extern void us_mirror_slot_name(int64 mirror, char *name);
extern void us_mirror_publication_name(int64 mirror, char *name);

/* whether a slot's name is one that a mirror of this database has or had; its number */
extern bool us_mirror_of_slot(const char *name, int64 *mirror);

/* every mirror of this database, palloc'd; none when the extension is not there */
extern UsMirror *us_mirrors(int *count);

/* one by id or by name; NULL when there is none */
extern UsMirror *us_mirror(int64 id);
extern UsMirror *us_mirror_by_name(const char *name);

extern bool us_mirror_at_home(const UsMirror *mirror);

/*
 * us_mirror_target_name -- what its table is called now, qualified and quoted
 *
 * A definition that was read before may hold an earlier name.
 * Needs:   transaction
 * Returns: the name kept when the table is gone or the definition not at home
 */
extern const char *us_mirror_target_name(const UsMirror *mirror);

/*
 * us_mirror_problem -- why a mirror cannot run, apart from being paused
 *
 * As us_stream_problem; also asks that the owner owns the table and may
 * replicate.
 */
extern char *us_mirror_problem(const UsMirror *mirror);

/*
 * us_mirror_wal_problem -- whether the WAL that is kept for a mirror is much
 *
 * More than half of max_slot_wal_keep_size; without that limit, more than ten
 * times max_wal_size.
 * Returns: palloc'd, what it is and what to do, as us_mirror_problem; NULL = it is not
 */
extern char *us_mirror_wal_problem(const UsMirror *mirror);

/*
 * us_mirror_find, us_mirror_lock -- a mirror that the caller may change
 *
 * Errors:  42704 there is none (with missing_ok: NULL and a NOTICE);
 *          42501 the caller has not the rights of its owner
 */
extern UsMirror *us_mirror_find(const char *name, bool missing_ok);
extern UsMirror *us_mirror_lock(const char *name, bool missing_ok);

/* refuses a definition that comes from another database; 55000 */
extern void us_mirror_check_home(const UsMirror *mirror);

/*
 * us_mirror_column_name -- what a column of the table is called in Cassandra
 *
 * In:      columns   of the definition; may be NULL
 * Returns: palloc'd; NULL = it is left out
 */
extern char *us_mirror_column_name(Jsonb *columns, const char *column);

/* the CQL map of option replication, as CREATE KEYSPACE takes it */
extern char *us_mirror_replication(Jsonb *options);

/*
 * Checks of a definition, each with its error; all need no Cassandra.
 *    words       names in Cassandra, options
 *    server      wal_level, a free slot
 *    owner       may replicate, may create a publication, owns the table
 *    target      kind of table, a key that changes carry, columns that exist
 */
extern void us_mirror_check_words(const char *keyspace, const char *table_name, Jsonb *options);
extern void us_mirror_check_server(void);
extern void us_mirror_check_owner(Oid owner, Oid target);
extern void us_mirror_check_target(Oid target, Jsonb *columns);

/* a superuser, or REPLICATION: the slot keeps WAL back */
extern bool us_mirror_may_replicate(Oid role);
extern bool us_mirror_owns(Oid role, Oid target);

/* in the caller's transaction, as the current role: the publication of the table */
extern void us_mirror_publish(int64 mirror, Oid target);
extern void us_mirror_unpublish(int64 mirror);
extern bool us_mirror_is_published(int64 mirror);
extern void us_mirror_give_publication(int64 mirror, Oid owner);

/*
 * us_mirror_restart -- copy all rows anew at the next start, with a new slot
 *
 * In:      clear   empty the table in Cassandra first
 */
extern void us_mirror_restart(int64 mirror, bool clear);

/* adopt: a definition from elsewhere becomes one of here; false: it is at home already */
extern bool us_mirror_adopt(const char *name);

#endif							/* US_MIRROR_H */
