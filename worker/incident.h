/*-------------------------------------------------------------------------
 * worker/incident.h
 *    userstream.incident: what an operator must know
 *-------------------------------------------------------------------------
 */
#ifndef US_INCIDENT_H
#define US_INCIDENT_H

#include "extension/catalog.h"

/*
 * us_incident_open -- note one, unless the same is open already
 *
 * In:      partition   -1 = the whole stream
 *          kind        a word: offset_out_of_range, bad_message, privilege ...
 * Needs:   transaction (goes up by itself)
 */
extern void us_incident_open(const UsStream *stream, int32 partition, const char *kind,
							 const char *detail, const char *what_to_do);

/*
 * us_stream_stop -- stop a stream, or one partition of it, for a person to
 * look at; opens the incident.  resume_stream continues.
 */
extern void us_stream_stop(const UsStream *stream, int32 partition, const char *kind,
						   const char *detail, const char *what_to_do);

#endif							/* US_INCIDENT_H */
