/*-------------------------------------------------------------------------
 * worker/forced.h
 *    which of several ways to one result a build always takes
 *
 * Some work is done in two ways: a quick one where that is possible, and one
 * for everything else.  They must not differ in what comes out, so make
 * test-forced builds the extension with FORCE=<way> and runs the tests of
 * delivery with it.  In any other build each question here is a constant, and
 * what hangs on it is no code.
 *-------------------------------------------------------------------------
 */
#ifndef US_FORCED_H
#define US_FORCED_H

enum
{
	US_FORCE_NONE,
	US_FORCE_SSE2,				/* marks of a JSON text: 16 bytes at a time */
	US_FORCE_PLAIN,				/* ... or without help of the processor */
	US_FORCE_PARSER,			/* each JSON message is judged, each jsonb made by jsonb_in */
	US_FORCE_INPUT,				/* each value is made by its type's input function */
	US_FORCE_EXECUTOR,			/* each row goes in by a statement */
	US_FORCE_ROWS				/* each message is mapped and written in its own subtransaction */
};

#ifndef US_FORCE
#define US_FORCE		US_FORCE_NONE
#endif

#define US_FORCED(way)	(US_FORCE == US_FORCE_##way)

#endif							/* US_FORCED_H */
