/*-------------------------------------------------------------------------
 * test/unit/fuzz.h
 *    one judge of inputs, for libFuzzer and for the files of a corpus
 *-------------------------------------------------------------------------
 */
#ifndef US_TEST_FUZZ_H
#define US_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

typedef struct FuzzTarget
{
	const char *name;			/* of the corpus too: corpus/NAME */
	const char *good;			/* what a result says of an input that passes */
	size_t		max_bytes;		/* longer inputs are left out; at most FUZZ_MAX_BYTES */
	int			kinds;			/* the first byte says which of so many an input is; 0: none */
	/* what is wrong with the answer to an input; NULL = nothing */
	const char *(*judge) (const uint8_t *data, size_t len);
} FuzzTarget;

#define FUZZ_MAX_BYTES	8192

/* each program that ends in _fuzz has one */
extern const FuzzTarget fuzz_target;

/* results for each file of the corpus; returns the program's exit code */
extern int	fuzz_corpus(void);

/*
 * fuzz_judge_text -- an input of several kinds, as text
 *
 * judge:   what is wrong; kind is below the target's kinds, text has a block
 *          of its own, may be changed, and a NUL stands behind its len bytes
 */
extern const char *fuzz_judge_text(const uint8_t *data, size_t len,
								   const char *(*judge) (int kind, char *text, size_t len));

#endif							/* US_TEST_FUZZ_H */
