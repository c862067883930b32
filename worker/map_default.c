/*-------------------------------------------------------------------------
 * worker/map_default.c
 *    the DEFAULT of a column, for messages that do not give it
 *
 * Nothing is computed before a message needs it: a table may well have a
 * default that fails, and lives as long as every message gives the column.
 * What depends only on built-in code is readied once for the plan.  All else
 * is readied once per batch, because a function may be replaced, or a
 * domain's constraint added, without a word to the table.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "worker/map_internal.h"

void
us_default_init(UsDefault *def, Relation relation, AttrNumber attnum)
{
	Node	   *node = build_column_default(relation, attnum);

	def->state = node == NULL ? US_DEFAULT_NONE : US_DEFAULT_UNREADY;
	def->node = copyObject(node);
}

static bool
is_user_function(Oid function, void *context)
{
	(void) context;
	return function >= FirstNormalObjectId;
}

static bool
has_user_code(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain) ||
		check_functions_in_node(node, is_user_function, NULL))
		return true;
	return expression_tree_walker(node, has_user_code, context);
}

static bool
may_raise_function(Oid function, void *context)
{
	(void) context;
	switch (function)
	{
		case F_NOW:
		case F_TRANSACTION_TIMESTAMP:
		case F_STATEMENT_TIMESTAMP:
		case F_CLOCK_TIMESTAMP:
		case F_GEN_RANDOM_UUID:

			/* casts from these, which are far from any limit */
		case F_TIMESTAMP_TIMESTAMPTZ:
		case F_DATE_TIMESTAMPTZ:
		case F_TIME_TIMESTAMPTZ:
		case F_TIMESTAMP_TIMESTAMP_INT4:
		case F_TIMESTAMPTZ_TIMESTAMPTZ_INT4:
			return false;
		default:
			return true;
	}
}

/* true unless the expression is of the few kinds that cannot fail */
static bool
may_raise(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Const:
		case T_RelabelType:
			break;
		case T_FuncExpr:
			if (check_functions_in_node(node, may_raise_function, NULL))
				return true;
			break;
		case T_SQLValueFunction:

			/* those about roles and schemas read catalogs */
			if (((SQLValueFunction *) node)->op > SVFOP_LOCALTIMESTAMP_N)
				return true;
			break;
		default:
			return true;
	}
	return expression_tree_walker(node, may_raise, context);
}

/* plans and readies a default, in a context that becomes owner's when all went well */
static void
ready_default(UsMap *map, UsMapColumn *column)
{
	UsDefault  *def = &column->def;
	bool		per_batch = has_user_code(def->node, NULL);
	Expr	   *planned = expression_planner((Expr *) copyObject(def->node));
	MemoryContext mine;
	MemoryContext old;

	mine = AllocSetContextCreate(us_map_scratch(map), "userstream default", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(mine);
	if (IsA(planned, Const) && !per_batch)
	{
		Const	   *constant = (Const *) planned;

		def->isnull = constant->constisnull;
		def->value = constant->constisnull ? (Datum) 0 :
			datumCopy(constant->constvalue, column->typbyval, column->typlen);
		def->state = US_DEFAULT_CONST;
	}
	else
	{
		planned = copyObject(planned);
		def->econtext = CreateStandaloneExprContext();
		def->expression = ExecInitExpr(planned, NULL);
		def->per_batch = per_batch;
		def->batch = map->batch;
		def->state = per_batch || may_raise((Node *) planned, NULL) ?
			US_DEFAULT_EXPRESSION : US_DEFAULT_HARMLESS;
	}
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(mine, per_batch ? map->batch_context : map->context);
}

Datum
us_default_harmless(UsMapColumn *column, bool *isnull)
{
	UsDefault  *def = &column->def;

	ResetExprContext(def->econtext);
	return ExecEvalExprSwitchContext(def->expression, def->econtext, isnull);
}

Datum
us_default_value(UsMap *map, UsMapColumn *column, bool *isnull)
{
	UsDefault  *def = &column->def;

	if (def->state == US_DEFAULT_UNREADY || (def->per_batch && def->batch != map->batch))
	{
		MemoryContext old = MemoryContextSwitchTo(us_map_scratch(map));

		def->state = US_DEFAULT_UNREADY;
		ready_default(map, column);
		MemoryContextSwitchTo(old);
	}
	if (def->state == US_DEFAULT_CONST)
	{
		*isnull = def->isnull;
		return def->value;
	}
	return us_default_harmless(column, isnull);
}
