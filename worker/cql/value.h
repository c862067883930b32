/*-------------------------------------------------------------------------
 * worker/cql/value.h
 *    C values <-> the bytes of CQL values
 *
 * us_cql_put_* append a [value]: an i32 length and the bytes.  So the same
 * calls write the parameters of a statement, the elements of a collection and
 * the fields of a tuple.  A value that its type cannot hold makes the writer
 * fail with US_CQL_BAD_VALUE: it must not reach a server that would take it
 * for something else.
 *
 * us_cql_get_* read the bytes alone (a cell of a row, null already sorted
 * out), and are false when there are more or fewer than the type has.
 *
 * Source:  CQL native protocol v5, section 6
 *-------------------------------------------------------------------------
 */
#ifndef US_CQL_VALUE_H
#define US_CQL_VALUE_H

#include "worker/cql/type.h"

#define US_CQL_DAY_NS	INT64_C(86400000000000) /* nanoseconds of a day */

/* no value: deletes the cell (a tombstone), also in an INSERT */
extern void us_cql_put_null(UsCqlWriter *writer);

/*
 * Not set: leaves the cell as it is.  Only as a parameter of a statement, and
 * there not for a column of the key: the server refuses it elsewhere.
 */
extern void us_cql_put_unset(UsCqlWriter *writer);

/* blob, text, udt as bytes, anything that is encoded already; len 0 is empty, not null */
extern void us_cql_put_blob(UsCqlWriter *writer, const void *data, size_t len);

/* bytes up to 0x7f; others are US_CQL_BAD_VALUE */
extern void us_cql_put_ascii(UsCqlWriter *writer, const char *text, size_t len);

extern void us_cql_put_boolean(UsCqlWriter *writer, bool value);

/* bytes of a tinyint 1, smallint 2, int 4, bigint and counter 8 */
extern size_t us_cql_integer_size(UsCqlTypeId id);

/* tinyint, smallint, int, bigint, counter, by id: out of its range is US_CQL_BAD_VALUE */
extern void us_cql_put_integer(UsCqlWriter *writer, UsCqlTypeId id, int64_t value);

extern void us_cql_put_float(UsCqlWriter *writer, float value);
extern void us_cql_put_double(UsCqlWriter *writer, double value);

/* days since 1970-01-01, any int32 */
extern void us_cql_put_date(UsCqlWriter *writer, int32_t days);

/* nanoseconds since midnight, less than US_CQL_DAY_NS */
extern void us_cql_put_time(UsCqlWriter *writer, int64_t ns);

/* milliseconds since 1970-01-01 UTC */
extern void us_cql_put_timestamp(UsCqlWriter *writer, int64_t ms);

/* 16 bytes; timeuuid has to be of version 1 */
extern void us_cql_put_uuid(UsCqlWriter *writer, const uint8_t *bytes);
extern void us_cql_put_timeuuid(UsCqlWriter *writer, const uint8_t *bytes);

/* len 4 or 16 */
extern void us_cql_put_inet(UsCqlWriter *writer, const uint8_t *address, size_t len);

/* all of one sign, or US_CQL_BAD_VALUE */
extern void us_cql_put_duration(UsCqlWriter *writer, int32_t months, int32_t days, int64_t ns);

/*
 * us_cql_put_decimal, us_cql_put_varint -- exact numbers from their text
 *
 * In:      "[+-]digits[.digits][e[+-]digits]", as numeric's output; not NUL-terminated.
 *          The scale is kept: "1.50" is 150 with scale 2, "1e3" is 1 with scale -3.
 *          A varint takes a fraction of zeros only ("5.00"), and no exponent.
 * Errors:  US_CQL_BAD_VALUE for other text (NaN, Infinity), US_CQL_TOO_LARGE for
 *          more than 200,000 digits or a scale beyond int32
 */
extern void us_cql_put_decimal(UsCqlWriter *writer, const char *text, size_t len);
extern void us_cql_put_varint(UsCqlWriter *writer, const char *text, size_t len);

/*
 * Collections, tuples and user types nest:
 *    mark = us_cql_open(w); us_cql_put_count(w, n); n elements; us_cql_close(w, mark);
 * A list or set has n elements, a map n times key, value; a tuple or user type
 * has no count, and its fields may be null.
 */
extern void us_cql_put_count(UsCqlWriter *writer, int32_t count);

extern bool us_cql_get_boolean(UsCqlBytes bytes, bool *value);

/* tinyint .. bigint, counter, by their length */
extern bool us_cql_get_integer(UsCqlBytes bytes, int64_t *value);

extern bool us_cql_get_float(UsCqlBytes bytes, float *value);
extern bool us_cql_get_double(UsCqlBytes bytes, double *value);

/* days since 1970-01-01 */
extern bool us_cql_get_date(UsCqlBytes bytes, int32_t *days);

/* nanoseconds since midnight, 0 .. US_CQL_DAY_NS - 1 */
extern bool us_cql_get_time(UsCqlBytes bytes, int64_t *ns);

/* milliseconds since 1970-01-01 UTC */
extern bool us_cql_get_timestamp(UsCqlBytes bytes, int64_t *ms);

extern bool us_cql_get_duration(UsCqlBytes bytes, int32_t *months, int32_t *days, int64_t *ns);

/* text is appended, as numeric's input takes it: "-1.50", "1e3" for a negative scale */
extern bool us_cql_get_decimal(UsCqlBytes bytes, UsCqlWriter *text);
extern bool us_cql_get_varint(UsCqlBytes bytes, UsCqlWriter *text);

/*
 * us_cql_get_count -- a collection: how many elements, and a reader at the first
 *
 * Each is read by us_cql_get_element (a map's key, then its value); tuples and
 * user types are read by it too, until nothing is left: trailing fields may be
 * missing, and are null.
 */
extern bool us_cql_get_count(UsCqlBytes bytes, UsCqlReader *elements, int32_t *count);
extern UsCqlBytes us_cql_get_element(UsCqlReader *elements);

/*
 * us_cql_put_text -- a value for people, appended to a writer of text
 *
 * As cqlsh shows it: 0x00ff, 2024-02-29 12:00:00.000+0000, [1, 2], {'a': 1}, (1, null).
 * Text at the top is as it is, in collections in quotes.  Custom types are hexadecimal.
 * Returns: false when the bytes are not of this type (nothing useful was written)
 */
extern bool us_cql_put_text(UsCqlWriter *writer, const UsCqlType *type, UsCqlBytes bytes);

#endif							/* US_CQL_VALUE_H */
