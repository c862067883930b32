/*-------------------------------------------------------------------------
 * worker/map_type.c
 *    a column's type -> how its values are made
 *
 * Used when a map is compiled.  Which types have a shortcut, and which input
 * functions may be called without a subtransaction around them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "worker/forced.h"
#include "worker/map_internal.h"

typedef struct TypeInput
{
	PGFunction	function;
	UsShortcut	shortcut;
} TypeInput;

/*
 * Input functions that raise with nothing in their hands: no lock, pin,
 * reference or open file.  Each only reads its text and allocates; enum_in
 * also looks into a system cache, but raises when it found nothing there.
 * So PG_TRY is enough around them.  Not among them: record_in (holds a row
 * type while it raises), the reg types and xml, arrays and ranges, which call
 * others, domains, and whatever an extension brings.
 *
 * A type is known by the address of its input function, which also finds
 * types of extensions that borrow a built-in one (citext).
 */
static const TypeInput type_inputs[] = {
	{textin, US_SHORTCUT_TEXT},
	{varcharin, US_SHORTCUT_VARCHAR},
	{bpcharin, US_SHORTCUT_TEXT},
	{boolin, US_SHORTCUT_BOOL},
	{int2in, US_SHORTCUT_INT2},
	{int4in, US_SHORTCUT_INT4},
	{int8in, US_SHORTCUT_INT8},
	{float4in, US_SHORTCUT_FLOAT4},
	{float8in, US_SHORTCUT_FLOAT8},
	{numeric_in, US_SHORTCUT_NUMERIC},
	{uuid_in, US_SHORTCUT_UUID},
	{date_in, US_SHORTCUT_DATE},
	{timestamp_in, US_SHORTCUT_TIMESTAMP},
	{timestamptz_in, US_SHORTCUT_TIMESTAMPTZ},
	{byteain, US_SHORTCUT_BYTEA},
	{json_in, US_SHORTCUT_JSON},
	{jsonb_in, US_SHORTCUT_JSONB},
	{charin, US_SHORTCUT_NONE},
	{namein, US_SHORTCUT_NONE},
	{oidin, US_SHORTCUT_NONE},
	{cash_in, US_SHORTCUT_NONE},
	{time_in, US_SHORTCUT_NONE},
	{timetz_in, US_SHORTCUT_NONE},
	{interval_in, US_SHORTCUT_NONE},
	{inet_in, US_SHORTCUT_NONE},
	{cidr_in, US_SHORTCUT_NONE},
	{macaddr_in, US_SHORTCUT_NONE},
	{macaddr8_in, US_SHORTCUT_NONE},
	{bit_in, US_SHORTCUT_NONE},
	{varbit_in, US_SHORTCUT_NONE},
	{point_in, US_SHORTCUT_NONE},
	{lseg_in, US_SHORTCUT_NONE},
	{path_in, US_SHORTCUT_NONE},
	{box_in, US_SHORTCUT_NONE},
	{poly_in, US_SHORTCUT_NONE},
	{line_in, US_SHORTCUT_NONE},
	{circle_in, US_SHORTCUT_NONE},
	{tsvectorin, US_SHORTCUT_NONE},
	{tsqueryin, US_SHORTCUT_NONE},
	{pg_lsn_in, US_SHORTCUT_NONE},
	{enum_in, US_SHORTCUT_NONE},
};

static bool
is_dated(Oid type)
{
	return type == DATEOID || type == TIMEOID || type == TIMETZOID || type == TIMESTAMPOID ||
		type == TIMESTAMPTZOID || type == INTERVALOID;
}

void
us_map_plan_type(const UsFormat *format, UsMapColumn *column, Form_pg_attribute attribute)
{
	Oid			base_type = getBaseType(attribute->atttypid);
	Oid			element_type;
	Oid			function;

	getTypeInputInfo(attribute->atttypid, &function, &column->typioparam);
	fmgr_info(function, &column->input);
	column->null_call = !column->input.fn_strict;
	column->typmod = attribute->atttypmod;
	column->typlen = attribute->attlen;
	column->typbyval = attribute->attbyval;
	column->bytes_form = base_type == BYTEAOID;
	column->json_form = (base_type == JSONOID || base_type == JSONBOID) &&
		!format->strings_are_text;
	column->array_form = OidIsValid(get_element_type(base_type)) &&
		get_array_type(get_element_type(base_type)) == base_type;
	column->base64 |= format->is_event && base_type == BYTEAOID;
	column->is_bits = format->is_event && (base_type == BITOID || base_type == VARBITOID);
	element_type = column->array_form ? getBaseType(get_element_type(base_type)) : InvalidOid;
	column->is_dated = format->is_event && is_dated(column->array_form ? element_type : base_type);
	column->is_bytes_array = format->is_event && element_type == BYTEAOID;
	column->is_texts_array = format->is_event &&
		(element_type == JSONOID || element_type == JSONBOID);
	column->record_form = type_is_rowtype(base_type);
	column->short_header = attribute->attlen == -1 && attribute->attstorage != TYPSTORAGE_PLAIN;
	for (int i = 0; i < (int) lengthof(type_inputs); i++)
	{
		if (type_inputs[i].function != column->input.fn_addr)
			continue;
		column->safe = true;
		column->shortcut = type_inputs[i].shortcut;
	}
	if (format->strings_are_text &&
		(column->shortcut == US_SHORTCUT_JSON || column->shortcut == US_SHORTCUT_JSONB))
		column->shortcut = US_SHORTCUT_NONE;
	if (column->input.fn_addr == varcharin && column->typmod < 0)
		column->shortcut = US_SHORTCUT_TEXT;
	if (column->input.fn_addr == bpcharin && column->typmod >= 0)
		column->shortcut = US_SHORTCUT_NONE;
}

/* in which a column takes a value, with the same result as from its text */
static UsForm
column_form(const UsMapColumn *column)
{
	if (US_FORCED(INPUT))
		return US_FORM_TEXT;
	switch (column->shortcut)
	{
		case US_SHORTCUT_INT2:
			return US_FORM_INT2;
		case US_SHORTCUT_INT4:
			return US_FORM_INT4;
		case US_SHORTCUT_INT8:
			return US_FORM_INT8;
		case US_SHORTCUT_FLOAT4:
			return US_FORM_FLOAT4;
		case US_SHORTCUT_FLOAT8:
			return US_FORM_FLOAT8;
		case US_SHORTCUT_DATE:
			return US_FORM_DATE;
		case US_SHORTCUT_TIMESTAMP:
			/* fewer digits are rounded by the input function */
			return column->typmod < 0 ? US_FORM_TIMESTAMP : US_FORM_TEXT;
		case US_SHORTCUT_TIMESTAMPTZ:
			return column->typmod < 0 ? US_FORM_TIMESTAMPTZ : US_FORM_TEXT;
		case US_SHORTCUT_UUID:
			return US_FORM_UUID;
		case US_SHORTCUT_BYTEA:
			return column->base64 ? US_FORM_TEXT : US_FORM_BYTES;
		default:
			return US_FORM_TEXT;
	}
}

/* columns that share a path must want the same of it; other encodings convert the texts */
void
us_map_plan_forms(UsMap *map)
{
	UsForm	   *forms = palloc0(sizeof(UsForm) * Max(map->paths->nfields, 1));
	bool	   *seen = palloc0(sizeof(bool) * Max(map->paths->nfields, 1));

	for (int i = 0; map->utf8 && i < map->ncolumns; i++)
	{
		const UsMapColumn *column = &map->columns[i];
		UsForm		form = column_form(column);

		if (column->origin != US_ORIGIN_FIELD)
			continue;
		if (!seen[column->field])
			forms[column->field] = form;
		else if (forms[column->field] != form)
			forms[column->field] = US_FORM_TEXT;
		seen[column->field] = true;
	}
	for (int i = 0; i < map->paths->nfields; i++)
		if (forms[i] != US_FORM_TEXT)
			us_path_set_form(map->paths, i, forms[i]);
	pfree(seen);
	pfree(forms);
}
