/*-------------------------------------------------------------------------
 * extension/args.c
 *    arguments that several functions take, checked the same way
 *
 * Runs in the caller's backend, before anything is looked up.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/args.h"
#include "utils/builtins.h"

#define MAX_TOPIC_LENGTH	249 /* Kafka's own limit, in characters */

void
us_args_refuse_null(const char *argument)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not be null", argument),
			 errhint("Give it a value by name: %s => ...", argument)));
}

char *
us_args_text(FunctionCallInfo fcinfo, int arg, const char *missing)
{
	if (PG_ARGISNULL(arg))
		return missing == NULL ? NULL : pstrdup(missing);
	return text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

void
us_args_check_name(const char *kind, const char *name)
{
	size_t		length = strlen(name);

	if (length == 0 || length >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(length == 0 ? ERRCODE_INVALID_NAME : ERRCODE_NAME_TOO_LONG),
				 errmsg("invalid %s name \"%s\"", kind, name),
				 errdetail("The name has %zu bytes.", length),
				 errhint("Choose a name of 1 to %d bytes.", NAMEDATALEN - 1)));
	/* it goes into log lines, process titles and Kafka's group names */
	for (const char *c = name; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("invalid %s name", kind),
					 errdetail("The name holds a control character."),
					 errhint("Choose a name of printable characters.")));
}

/* Kafka's rule; without it the broker would say only that it knows no such topic */
void
us_args_check_topic(const char *topic)
{
	size_t		length = strlen(topic);
	size_t		legal = strspn(topic, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							   "abcdefghijklmnopqrstuvwxyz0123456789._-");

	if (length == 0 || length > MAX_TOPIC_LENGTH || legal != length ||
		strcmp(topic, ".") == 0 || strcmp(topic, "..") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid topic \"%s\"", topic),
				 errhint("A Kafka topic has 1 to %d of the characters a-z, A-Z, 0-9, \".\", \"_\" and \"-\".",
						 MAX_TOPIC_LENGTH)));
}
