/*-------------------------------------------------------------------------
 * dashboard/json.c
 *    a page's panels as one JSON object
 *-------------------------------------------------------------------------
 */
#include "dashboard/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dashboard/escape.h"

/* OIDs of pg_type.dat, which never change */
enum
{
	BOOL_OID = 16,
	INT2_OID = 21,
	INT4_OID = 23,
	FLOAT4_OID = 700,
	FLOAT8_OID = 701
};

UsJson *
us_json_create(void)
{
	return json_object();
}

/* jansson refuses what is no UTF-8, which a database with SQL_ASCII may hold */
static json_t *
text_value(const char *text, size_t len)
{
	UsBuf		clean = {0};
	json_t	   *value;

	us_json_clean(&clean, text, len);
	value = json_stringn(us_buf_text(&clean), clean.len);
	us_buf_free(&clean);
	return value;
}

static json_t *
field_value(const PGresult *rows, int row, int column)
{
	const char *text = PQgetvalue(rows, row, column);

	if (PQgetisnull(rows, row, column))
		return json_null();
	switch (PQftype(rows, column))
	{
		case BOOL_OID:
			return json_boolean(*text == 't');
		case INT2_OID:
		case INT4_OID:
			return json_integer(strtol(text, NULL, 10));
		case FLOAT4_OID:
		case FLOAT8_OID:
			/* JSON has neither infinity nor NaN */
			return isfinite(strtod(text, NULL)) ? json_real(strtod(text, NULL)) : json_null();
		default:
			return text_value(text, (size_t) PQgetlength(rows, row, column));
	}
}

void
us_json_add_rows(UsJson *json, const char *name, const PGresult *rows)
{
	json_t	   *list = json_array();

	for (int row = 0; row < PQntuples(rows); row++)
	{
		json_t	   *object = json_object();

		for (int column = 0; column < PQnfields(rows); column++)
			json_object_set_new(object, PQfname(rows, column), field_value(rows, row, column));
		json_array_append_new(list, object);
	}
	json_object_set_new(json, name, list);
}

void
us_json_add_error(UsJson *json, const char *name, const char *sqlstate, const char *text)
{
	json_t	   *errors = json_object_get(json, "errors");
	json_t	   *error = json_object();

	if (errors == NULL)
	{
		errors = json_object();
		json_object_set_new(json, "errors", errors);
	}
	json_object_set_new(error, "sqlstate", text_value(sqlstate, strlen(sqlstate)));
	json_object_set_new(error, "message", text_value(text, strlen(text)));
	json_object_set_new(errors, name, error);
}

void
us_json_add_text(UsJson *json, const char *name, const char *text)
{
	json_object_set_new(json, name, text_value(text, strlen(text)));
}

static int
add_piece(const char *bytes, size_t len, void *buf)
{
	us_buf_add(buf, bytes, len);
	return 0;
}

void
us_json_write(UsBuf *buf, const UsJson *json)
{
	json_dump_callback(json, add_piece, buf, JSON_COMPACT | JSON_PRESERVE_ORDER);
	us_buf_puts(buf, "\n");
}

void
us_json_free(UsJson *json)
{
	json_decref(json);
}

bool
us_json_is_valid(const char *bytes, size_t len)
{
	size_t		flags = JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
	json_t	   *value = json_loadb(bytes, len, flags, NULL);

	json_decref(value);
	return value != NULL;
}
