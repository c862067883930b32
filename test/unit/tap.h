/*-------------------------------------------------------------------------
 * test/unit/tap.h
 *    results of a C test program, in the form that prove reads
 *-------------------------------------------------------------------------
 */
#ifndef US_TEST_TAP_H
#define US_TEST_TAP_H

#include <stdbool.h>
#include <stddef.h>

/* one result; returns what it was given, so that details can follow */
extern bool tap_ok(bool passed, const char *format,...) __attribute__((format(printf, 2, 3)));

/* one result: two numbers are equal; says both if not */
extern bool tap_is(long long got, long long expected, const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* a remark, for after a failure */
extern void tap_note(const char *format,...) __attribute__((format(printf, 1, 2)));

/* bytes made printable on one line and cut to some 70; one of a few static buffers */
extern const char *tap_bytes(const char *bytes, size_t len);

/* the plan; returns the program's exit code */
extern int	tap_done(void);

#endif							/* US_TEST_TAP_H */
