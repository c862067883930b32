/*-------------------------------------------------------------------------
 * worker/expand_function.c
 *    which functions can filter or transform the messages of a stream
 *
 * Called where a stream is defined and where its sink is compiled.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "extension/compat.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "worker/decode.h"
#include "worker/expand_internal.h"

Oid
us_expand_message_type(void)
{
	Oid			schema = GetSysCacheOid1(NAMESPACENAME, Anum_pg_namespace_oid,
										 CStringGetDatum("userstream"));

	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum("message"), ObjectIdGetDatum(schema));
}

bool
us_expand_read_function(Oid function, UsFunction *result)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	result->oid = function;
	result->is_plain = form->prokind == PROKIND_FUNCTION && form->pronargs == 1 &&
		form->provariadic == InvalidOid;
	result->argument = form->pronargs == 1 ? form->proargtypes.values[0] : InvalidOid;
	result->type = form->prorettype;
	result->is_set = form->proretset;
	ReleaseSysCache(tuple);
	return true;
}

char *
us_expand_signature(Oid function)
{
	UsFunction	read;

	if (!us_expand_read_function(function, &read))
		return NULL;
	return psprintf("%s(%s)",
					quote_qualified_identifier(get_namespace_name(get_func_namespace(function)),
											   get_func_name(function)),
					read.argument == JSONBOID ? "jsonb" : "userstream.message");
}

bool
us_expand_gives_rows(Oid function)
{
	UsFunction	read;

	return us_expand_read_function(function, &read) && read.type != JSONBOID;
}

static const char *
what_for(bool is_filter)
{
	return is_filter ? "filter" : "transform";
}

static const char *
hint_for(bool is_filter)
{
	return is_filter ?
		"A filter is f(userstream.message) or f(jsonb), and returns boolean." :
		"A transform is f(userstream.message) or f(jsonb), and returns jsonb or rows of the target, one or SETOF.";
}

static void
refuse(const char *signature, bool is_filter, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
			 errmsg("function %s cannot be the %s of a stream", signature,
					what_for(is_filter)),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint_for(is_filter))));
}

static void
check_function(const UsFunction *function, const char *signature, Oid target, const char *format)
{
	bool		is_filter = !OidIsValid(target);
	const UsFormat *found = us_format_find(format);
	bool		is_json = found != NULL && found->document != NULL;

	if (!function->is_plain)
		refuse(signature, is_filter, "It is not a function of one argument.");
	if (function->argument != JSONBOID && function->argument != us_expand_message_type())
		refuse(signature, is_filter, psprintf("Its argument is of type %s.",
											  format_type_be(function->argument)));
	if (function->argument == JSONBOID && !is_json)
		refuse(signature, is_filter, psprintf("Messages of format %s are no jsonb.", format));
	if (!is_filter && found != NULL && found->is_event)
		refuse(signature, is_filter, "Change events are not transformed: they also update and delete.");
	if (!is_filter && function->type == JSONBOID && !is_json && found != NULL && found->has_fields)
		refuse(signature, is_filter,
			   psprintf("Columns of a stream of format %s take nothing from jsonb; it must return rows of the target.",
						format));
	if (is_filter ? function->type != BOOLOID || function->is_set :
		function->type != JSONBOID && function->type != get_rel_type_id(target))
		refuse(signature, is_filter, psprintf("It returns %s%s.", function->is_set ? "SETOF " : "",
											  format_type_be(function->type)));
}

UsFunction
us_expand_find_function(Oid oid, const char *signature, Oid target, const char *format)
{
	bool		is_filter = !OidIsValid(target);
	UsFunction	function;

	if (!us_expand_read_function(oid, &function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("%s %s does not exist any more",
						what_for(is_filter), signature),
				 is_filter ?
				 errhint("Name a function, also when it has the same name: userstream.alter_stream(..., options => '{\"filter\": ...}').") :
				 errhint("Name a function, also when it has the same name: userstream.alter_stream(..., transform => ...).")));
	check_function(&function, signature, target, format);
	return function;
}

static void
report_signature(void *hint)
{
	if (geterrcode() == ERRCODE_UNDEFINED_FUNCTION || geterrcode() == ERRCODE_UNDEFINED_SCHEMA)
		errhint("Create it first, or write its schema too, such as app.format_user(jsonb): it is looked for in your search_path.");
	else
		errhint("%s", (const char *) hint);
}

/* regprocedure's input also takes an oid, and "-" for none; of a bare name it says little */
static void
check_signature(const char *signature, const char *what, const char *hint)
{
	const char *last = signature + strlen(signature);

	while (last > signature && scanner_isspace(last[-1]))
		last--;
	if (strchr(signature, '(') != NULL && last[-1] == ')')
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s \"%s\"", what, signature),
			 errdetail("It is not a function's name with the type of its argument in parentheses."),
			 errhint("%s", hint)));
}

/* with the caller's search path, as he would call it */
Oid
us_expand_resolve(const char *signature, const char *what, const char *hint)
{
	ErrorContextCallback callback = {
		.previous = error_context_stack,
		.callback = report_signature,
		.arg = unconstify(char *, hint)
	};
	Datum		function;

	check_signature(signature, what, hint);
	error_context_stack = &callback;
	function = DirectFunctionCall1(regprocedurein, CStringGetDatum(signature));
	error_context_stack = callback.previous;
	return DatumGetObjectId(function);
}

Oid
us_expand_check(Oid kept, const char *signature, Oid target, const char *format, Oid owner)
{
	bool		is_filter = !OidIsValid(target);
	Oid			oid = OidIsValid(kept) ? kept :
		us_expand_resolve(signature, what_for(is_filter), hint_for(is_filter));

	(void) us_expand_find_function(oid, signature, target, format);
	if (us_function_aclcheck(oid, owner, ACL_EXECUTE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for function %s", signature),
				 errhint("GRANT EXECUTE ON FUNCTION %s TO %s allows it.",
						 us_expand_signature(oid),
						 quote_identifier(GetUserNameFromId(owner, false)))));
	return oid;
}
