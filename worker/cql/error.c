/*-------------------------------------------------------------------------
 * worker/cql/error.c
 *    what the server's error codes are called, and what each asks for
 *
 * The remedies suppose that a write may be repeated, as ours may: each
 * carries its own timestamp.
 *-------------------------------------------------------------------------
 */
#include "worker/cql/response.h"

typedef struct ErrorEntry
{
	int32_t		code;
	UsCqlRemedy remedy;
	const char *name;
} ErrorEntry;

static const ErrorEntry errors[] = {
	{US_CQL_ERR_SERVER, US_CQL_REMEDY_OTHER_HOST, "server error"},
	{US_CQL_ERR_PROTOCOL, US_CQL_REMEDY_RECONNECT, "protocol error"},
	{US_CQL_ERR_CREDENTIALS, US_CQL_REMEDY_CREDENTIALS, "bad credentials"},
	{US_CQL_ERR_UNAVAILABLE, US_CQL_REMEDY_RETRY, "replicas unavailable"},
	{US_CQL_ERR_OVERLOADED, US_CQL_REMEDY_SLOWER, "overloaded"},
	{US_CQL_ERR_BOOTSTRAPPING, US_CQL_REMEDY_OTHER_HOST, "bootstrapping"},
	{US_CQL_ERR_TRUNCATE, US_CQL_REMEDY_RETRY, "truncate error"},
	{US_CQL_ERR_WRITE_TIMEOUT, US_CQL_REMEDY_SLOWER, "write timeout"},
	{US_CQL_ERR_READ_TIMEOUT, US_CQL_REMEDY_SLOWER, "read timeout"},
	{US_CQL_ERR_READ_FAILURE, US_CQL_REMEDY_RETRY, "read failure"},
	{US_CQL_ERR_FUNCTION_FAILURE, US_CQL_REMEDY_REFUSED, "function failure"},
	{US_CQL_ERR_WRITE_FAILURE, US_CQL_REMEDY_RETRY, "write failure"},
	{US_CQL_ERR_CDC_WRITE_FAILURE, US_CQL_REMEDY_SLOWER, "change data capture is full"},
	{US_CQL_ERR_CAS_UNKNOWN, US_CQL_REMEDY_RETRY, "outcome of compare-and-set unknown"},
	{US_CQL_ERR_SYNTAX, US_CQL_REMEDY_REFUSED, "syntax error"},
	{US_CQL_ERR_UNAUTHORIZED, US_CQL_REMEDY_RIGHTS, "unauthorized"},
	{US_CQL_ERR_INVALID, US_CQL_REMEDY_REFUSED, "invalid"},
	{US_CQL_ERR_CONFIG, US_CQL_REMEDY_REFUSED, "configuration error"},
	{US_CQL_ERR_ALREADY_EXISTS, US_CQL_REMEDY_NONE, "already exists"},
	{US_CQL_ERR_UNPREPARED, US_CQL_REMEDY_PREPARE, "unprepared"},
};

/* an unknown code is a server error under another number */
static const ErrorEntry unknown_error = {-1, US_CQL_REMEDY_OTHER_HOST, "unknown error"};

static const ErrorEntry *
find_error(int32_t code)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
	{
		if (errors[i].code == code)
			return &errors[i];
	}
	return &unknown_error;
}

const char *
us_cql_error_name(int32_t code)
{
	return find_error(code)->name;
}

UsCqlRemedy
us_cql_error_remedy(int32_t code)
{
	return find_error(code)->remedy;
}
