/*-------------------------------------------------------------------------
 * worker/map_nested.c
 *    a JSON array -> an array column, a JSON object -> a composite column
 *
 * Their text, which every other column takes, is no input of these types:
 * [1, 2] is not {1,2}.  So PostgreSQL's jsonb_populate_record converts them,
 * element by element and field by field, to any depth.  It is given a record
 * of the one column; what it looked up about types is forgotten with the
 * batch, because a composite type may get attributes without a word to the
 * tables that use it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "worker/map_internal.h"

#define FIELD_NAME	"v"			/* of the record's only column */

struct UsNested
{
	TupleDesc	descriptor;
	Datum		empty;			/* a record of that descriptor: it says what is wanted */
	FmgrInfo	populate;
};

bool
us_nested_wanted(const UsMapColumn *column, const UsValue *value)
{
	return (column->array_form && value->kind == US_VALUE_ARRAY) ||
		(column->record_form && value->kind == US_VALUE_OBJECT);
}

/* the record, and a call of the function that knows its type */
static UsNested *
create_nested(UsMap *map, const UsMapColumn *column)
{
	Form_pg_attribute attribute = TupleDescAttr(map->descriptor, column->index);
	MemoryContext old = MemoryContextSwitchTo(map->batch_context);
	UsNested   *nested = palloc0(sizeof(UsNested));
	Datum		value = (Datum) 0;
	bool		isnull = true;
	Const	   *record;
	Const	   *document;

	nested->descriptor = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(nested->descriptor, 1, FIELD_NAME, attribute->atttypid,
					   attribute->atttypmod, 0);
	BlessTupleDesc(nested->descriptor);
	nested->empty = HeapTupleGetDatum(heap_form_tuple(nested->descriptor, &value, &isnull));

	fmgr_info_cxt(F_JSONB_POPULATE_RECORD, &nested->populate, map->batch_context);
	record = makeConst(RECORDOID, -1, InvalidOid, -1, nested->empty, false, false);
	document = makeNullConst(JSONBOID, -1, InvalidOid);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_JSONB_POPULATE_RECORD, RECORDOID,
											 list_make2(record, document),
											 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
					   &nested->populate);
	MemoryContextSwitchTo(old);
	return nested;
}

/*
 * An array of texts of JSON, by the text of the array: jsonb_populate_record would
 * take an element that holds an array for another dimension.
 */
static Datum
texts_value(UsMapColumn *column, const UsValue *value)
{
	Datum		document = DirectFunctionCall1(jsonb_in,
											   CStringGetDatum(pnstrdup(value->data, value->len)));
	JsonbIterator *iterator = JsonbIteratorInit(&DatumGetJsonbP(document)->root);
	JsonbIteratorToken token;
	ArrayBuildState *texts = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	JsonbValue	element;

	while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
	{
		Datum		text = (Datum) 0;

		if (token != WJB_ELEM)
			continue;
		if (element.type == jbvString)
			text = PointerGetDatum(cstring_to_text_with_len(element.val.string.val,
															element.val.string.len));
		else if (element.type != jbvNull)
		{
			Jsonb	   *other = JsonbValueToJsonb(&element);

			text = CStringGetTextDatum(JsonbToCString(NULL, &other->root, VARSIZE(other)));
		}
		texts = accumArrayResult(texts, text, element.type == jbvNull, TEXTOID,
								 CurrentMemoryContext);
	}
	return InputFunctionCall(&column->input,
							 OidOutputFunctionCall(F_ARRAY_OUT,
												   makeArrayResult(texts, CurrentMemoryContext)),
							 column->typioparam, column->typmod);
}

/* {"v": value} */
static Datum
wrap_value(const UsValue *value)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"" FIELD_NAME "\":");
	appendBinaryStringInfo(&text, value->data, (int) value->len);
	appendStringInfoChar(&text, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

Datum
us_nested_value(UsMap *map, UsMapColumn *column, const UsValue *value, bool *isnull)
{
	UsNested   *nested = column->nested;
	Datum		record;
	HeapTupleHeader header;
	HeapTupleData tuple;
	Datum		result;

	if (column->is_texts_array)
	{
		*isnull = false;
		return texts_value(column, value);
	}
	if (nested == NULL || column->nested_batch != map->batch)
		nested = create_nested(map, column);
	/* what an error leaves of its cache is not used again */
	column->nested = NULL;
	record = FunctionCall2(&nested->populate, nested->empty, wrap_value(value));
	column->nested = nested;
	column->nested_batch = map->batch;

	header = DatumGetHeapTupleHeader(record);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, nested->descriptor, &result, isnull);
	return result;
}
