/*-------------------------------------------------------------------------
 * worker/incident.h
 *    userstream.incident: what an operator must know
 *-------------------------------------------------------------------------
 */
#ifndef US_INCIDENT_H
#define US_INCIDENT_H

#include "extension/catalog.h"
#include "extension/mirror.h"

/*
 * us_incident_open -- note one, unless the same is open already
 *
 * In:      partition   -1 = the whole stream
 *          kind        a word: offset_out_of_range, bad_message, privilege ...
 * Needs:   transaction (goes up by itself)
 */
extern void us_incident_open(const UsStream *stream, int32 partition, const char *kind,
							 const char *detail, const char *what_to_do);

/* note something that is over already and needs nobody: a closed incident */
extern void us_incident_note(const UsStream *stream, int32 partition, const char *kind,
							 const char *detail);

/*
 * us_stream_stop -- stop a stream, or one partition of it, for a person to
 * look at; opens the incident.  resume_stream continues.
 */
extern void us_stream_stop(const UsStream *stream, int32 partition, const char *kind,
						   const char *detail, const char *what_to_do);

/*
 * us_incident_follow_problems -- open and close those that nobody raises
 *
 * What us_stream_problem finds (owner, server or target do not let a stream
 * run) comes and goes without a call of ours: each becomes an incident of
 * kind cannot_run, closed when it is over.  Runs in the supervisor.
 * Needs:   transaction
 */
extern void us_incident_follow_problems(const UsStream *streams, int nstreams,
										const UsMirror *mirrors, int nmirrors);

/* the same for mirrors: resume_mirror, or what what_to_do says, continues */
extern void us_mirror_incident_open(const UsMirror *mirror, const char *kind, const char *detail,
									const char *what_to_do);
extern void us_mirror_stop(const UsMirror *mirror, const char *kind, const char *detail,
						   const char *what_to_do);

#endif							/* US_INCIDENT_H */
