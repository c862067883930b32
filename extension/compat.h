/*-------------------------------------------------------------------------
 * extension/compat.h
 *    every test of a PostgreSQL or librdkafka version in the project
 *
 * The code is written for the newest form of each interface; this header
 * gives older servers (15 and up) that form.  No other file may test
 * PG_VERSION_NUM or RD_KAFKA_VERSION.  It includes only what the wrappers
 * below need, so that a file pays for nothing else.
 *-------------------------------------------------------------------------
 */
#ifndef US_COMPAT_H
#define US_COMPAT_H

#include "pg_config.h"

#if PG_VERSION_NUM < 150000
#error "userstream needs PostgreSQL 15 or later"
#endif

/* noreturn goes in front of the declaration from 18 on */
#if PG_VERSION_NUM < 180000 && !defined(pg_noreturn)
#define pg_noreturn __attribute__((noreturn))
#endif

/* the interrupts of a process with a main loop were renamed in 18 */
#if PG_VERSION_NUM < 180000
#define us_process_main_loop_interrupts() HandleMainLoopInterrupts()
#else
#define us_process_main_loop_interrupts() ProcessMainLoopInterrupts()
#endif

/* a wait event set belongs to a resource owner since 17 (NULL: the process) */
#if PG_VERSION_NUM < 170000
#define us_create_wait_event_set(nevents) \
	CreateWaitEventSet(TopMemoryContext, (nevents))
#else
#define us_create_wait_event_set(nevents) \
	CreateWaitEventSet(NULL, (nevents))
#endif

/*
 * Since 16 an update says whether all indexes need the new row, or only those
 * that summarize pages, and ExecInsertIndexTuples is told; since 18 the check
 * for conflicts is told the row that is there.
 */
#if PG_VERSION_NUM < 160000
typedef bool UsUpdateIndexes;

#define us_insert_index_tuples(rri, slot, estate) \
	ExecInsertIndexTuples((rri), (slot), (estate), false, false, NULL, NIL)
#define us_update_index_tuples(rri, slot, estate, which) \
	((which) ? ExecInsertIndexTuples((rri), (slot), (estate), true, false, NULL, NIL) : NIL)
#else
#define UsUpdateIndexes TU_UpdateIndexes
#define us_insert_index_tuples(rri, slot, estate) \
	ExecInsertIndexTuples((rri), (slot), (estate), false, false, NULL, NIL, false)
#define us_update_index_tuples(rri, slot, estate, which) \
	((which) == TU_None ? NIL : \
	 ExecInsertIndexTuples((rri), (slot), (estate), true, false, NULL, NIL, \
						   (which) == TU_Summarizing))
#endif
#if PG_VERSION_NUM < 180000
#define us_check_index_constraints(rri, slot, estate, conflict, arbiters) \
	ExecCheckIndexConstraints((rri), (slot), (estate), (conflict), (arbiters))
#else
#define us_check_index_constraints(rri, slot, estate, conflict, arbiters) \
	ExecCheckIndexConstraints((rri), (slot), (estate), (conflict), NULL, (arbiters))
#endif

/*
 * Start a JSON lexer that lives in the caller's memory: there is one message
 * after another, and none should cost an allocation.  17 made this a call.
 * us_json_lexer_move has it go on elsewhere in the same text; line numbers,
 * which it counts for error messages only, are then wrong.
 */
#if PG_VERSION_NUM < 170000
#define us_json_lexer_start(lex, data, len) \
	(memset((lex), 0, sizeof(JsonLexContext)), \
	 (lex)->input = (lex)->token_terminator = (lex)->line_start = unconstify(char *, (data)), \
	 (lex)->line_number = 1, \
	 (lex)->input_length = (int) (len), \
	 (lex)->input_encoding = PG_UTF8)
#else
#define us_json_lexer_start(lex, data, len) \
	makeJsonLexContextCstringLen((lex), (data), (len), PG_UTF8, false)
#endif
#define us_json_lexer_move(lex, to) \
	((lex)->token_terminator = unconstify(char *, (to)))

/* ownership checks are one function per catalog since 16 */
#if PG_VERSION_NUM < 160000
#define us_class_ownercheck(oid, role) pg_class_ownercheck((oid), (role))
#define us_database_ownercheck(oid, role) pg_database_ownercheck((oid), (role))
#define us_server_aclcheck(oid, role, mode) pg_foreign_server_aclcheck((oid), (role), (mode))
#define us_database_aclcheck(oid, role, mode) pg_database_aclcheck((oid), (role), (mode))
#define us_namespace_aclcheck(oid, role, mode) pg_namespace_aclcheck((oid), (role), (mode))
#define us_function_aclcheck(oid, role, mode) pg_proc_aclcheck((oid), (role), (mode))
#else
#include "catalog/pg_class_d.h"
#include "catalog/pg_database_d.h"
#include "catalog/pg_foreign_server_d.h"
#include "catalog/pg_namespace_d.h"
#include "catalog/pg_proc_d.h"

#define us_class_ownercheck(oid, role) \
	object_ownercheck(RelationRelationId, (oid), (role))
#define us_database_ownercheck(oid, role) \
	object_ownercheck(DatabaseRelationId, (oid), (role))
#define us_server_aclcheck(oid, role, mode) \
	object_aclcheck(ForeignServerRelationId, (oid), (role), (mode))
#define us_database_aclcheck(oid, role, mode) \
	object_aclcheck(DatabaseRelationId, (oid), (role), (mode))
#define us_namespace_aclcheck(oid, role, mode) \
	object_aclcheck(NamespaceRelationId, (oid), (role), (mode))
#define us_function_aclcheck(oid, role, mode) \
	object_aclcheck(ProcedureRelationId, (oid), (role), (mode))
#endif

/*
 * A logical slot of this database that an error drops until it is kept, and
 * taking one (waiting while another process has it): both grew arguments.
 */
#if PG_VERSION_NUM < 170000
#define us_replication_slot_create(name) \
	ReplicationSlotCreate((name), true, RS_EPHEMERAL, false)
#else
#define us_replication_slot_create(name) \
	ReplicationSlotCreate((name), true, RS_EPHEMERAL, false, false, false)
#endif
#if PG_VERSION_NUM < 180000
#define us_replication_slot_acquire(name) ReplicationSlotAcquire((name), false)
#else
#define us_replication_slot_acquire(name) ReplicationSlotAcquire((name), false, true)
#endif

#endif							/* US_COMPAT_H */
