/*-------------------------------------------------------------------------
 * test/unit/avro_test.c
 *    Avro: schemas, each type's value, paths, JSON, and what is refused
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "common/jsonapi.h"
#include "test/unit/avro_help.h"
#include "test/unit/tap.h"
#include "worker/scalar_text.h"
#include "worker/json_tree.h"

#define RECORD(fields)	"{\"type\":\"record\",\"name\":\"r\",\"fields\":[" fields "]}"
#define FIELD(name, type)	"{\"name\":\"" name "\",\"type\":" type "}"

/* one field of a type: its value in hexadecimal, and what becomes of it */
typedef struct ValueCase
{
	const char *type;
	const char *hex;
	const char *expected;		/* kind and text; or the sqlstate of a refusal */
} ValueCase;

#define LOGICAL(type, name)	"{\"type\":\"" type "\",\"logicalType\":\"" name "\"}"
#define DECIMAL(scale)	"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":60,\"scale\":" scale "}"
#define FIXED(size, name)	"{\"type\":\"fixed\",\"name\":\"f\",\"size\":" size ",\"logicalType\":\"" name "\"}"

static const ValueCase values[] = {
	{"\"null\"", "", "null "},
	{"\"boolean\"", "00", "false false"},
	{"\"boolean\"", "01", "true true"},
	{"\"boolean\"", "02", "22P02"},
	{"\"int\"", "00", "number 0"},
	{"\"int\"", "01", "number -1"},
	{"\"int\"", "fe ff ff ff 0f", "number 2147483647"},
	{"\"int\"", "ff ff ff ff 0f", "number -2147483648"},
	{"\"int\"", "80 80 80 80 10", "22P02"},
	{"\"int\"", "80 80 80", "22P02"},
	{"\"long\"", "fe ff ff ff ff ff ff ff ff 01", "number 9223372036854775807"},
	{"\"long\"", "ff ff ff ff ff ff ff ff ff 01", "number -9223372036854775808"},
	{"\"long\"", "ff ff ff ff ff ff ff ff ff 02", "22P02"},
	{"\"long\"", "ff ff ff ff ff ff ff ff ff ff 01", "22P02"},
	{"\"long\"", "80 00", "number 0"},
	{"\"float\"", "cd cc cc 3d", "number 0.1"},
	{"\"float\"", "00 00 c0 7f", "string NaN"},
	{"\"float\"", "ff ff 7f 7f", "number 3.4028235e+38"},
	{"\"float\"", "00 00 00", "22P02"},
	{"\"double\"", "9a 99 99 99 99 99 b9 3f", "number 0.1"},
	{"\"double\"", "00 00 00 00 00 00 00 00", "number 0"},
	{"\"double\"", "00 00 00 00 00 00 f0 7f", "string Infinity"},
	{"\"double\"", "00 00 00 00 00 00 f0 ff", "string -Infinity"},
	{"\"double\"", "ff ff ff ff ff ff ef 7f", "number 1.7976931348623157e+308"},
	{"\"double\"", "01 00 00 00 00 00 00 00", "number 5e-324"},
	{"\"string\"", "00", "string "},
	{"\"string\"", "06 61 22 5c", "string a\"\\"},
	{"\"string\"", "04 c3 a9", "string \xc3\xa9"},
	{"\"string\"", "04 c3 28", "22021"},
	{"\"string\"", "02 00", "22021"},
	{"\"string\"", "04 61", "22P02"},
	{"\"string\"", "01", "22P02"},
	{"\"bytes\"", "00", "string \\x"},
	{"\"bytes\"", "06 00 ff 7a", "string \\x00ff7a"},
	{"\"bytes\"", "fe ff ff ff ff ff ff ff ff 01", "22P02"},
	{FIXED("2", "none"), "0a f0", "string \\x0af0"},
	{FIXED("2", "none"), "0a", "22P02"},
	{FIXED("0", "none"), "", "string \\x"},
	{"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"BC\"]}", "02", "string BC"},
	{"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"BC\"]}", "04", "22P02"},
	{"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"BC\"]}", "01", "22P02"},
	{"[\"null\",\"string\"]", "00", "null "},
	{"[\"null\",\"string\"]", "02 02 61", "string a"},
	{"[\"null\",\"string\"]", "04", "22P02"},
	{"[\"null\",\"string\"]", "01", "22P02"},
	{"[]", "00", "22P02"},
	{DECIMAL("2"), "02 00", "number 0.00"},
	{DECIMAL("2"), "00", "number 0.00"},
	{DECIMAL("2"), "02 01", "number 0.01"},
	{DECIMAL("2"), "02 ff", "number -0.01"},
	{DECIMAL("2"), "02 80", "number -1.28"},
	{DECIMAL("2"), "04 30 39", "number 123.45"},
	{DECIMAL("0"), "04 30 39", "number 12345"},
	{DECIMAL("5"), "04 30 39", "number 0.12345"},
	{DECIMAL("7"), "04 cf c7", "number -0.0012345"},
	{DECIMAL("3"), "14 00 de 0b 6b 3a 76 40 00 00 01", "number 4096000000000000000.001"},
	{DECIMAL("0"), "12 3b 9a ca 00 00 00 00 00 00", "number 1099511627776000000000"},
	{DECIMAL("61"), "02 01", "string \\x01"},	/* no decimal: its scale is above its precision */
	{"{\"type\":\"fixed\",\"name\":\"d\",\"size\":4,\"logicalType\":\"decimal\",\"precision\":9,\"scale\":1}",
	"ff ff ff f5", "number -1.1"},
	{LOGICAL("int", "date"), "00", "string 1970-01-01"},
	{LOGICAL("int", "date"), "01", "string 1969-12-31"},
	{LOGICAL("int", "date"), "a2 9e 02", "string 2020-02-29"},
	{LOGICAL("int", "date"), "cf ea 57", "string 0001-01-01 BC"},
	{LOGICAL("int", "date"), "f3 e4 57", "string 0001-01-01"},
	{LOGICAL("int", "date"), "97 f6 a9 02", "string 4714-11-24 BC"},
	{LOGICAL("int", "date"), "99 f6 a9 02", "22008"},
	{LOGICAL("int", "date"), "fe ff ff ff 0f", "22008"},
	{LOGICAL("int", "time-millis"), "00", "string 00:00:00"},
	{LOGICAL("int", "time-millis"), "fe ef b2 52", "string 23:59:59.999"},
	{LOGICAL("int", "time-millis"), "82 f0 b2 52", "22008"},
	{LOGICAL("int", "time-millis"), "01", "22008"},
	{LOGICAL("long", "time-micros"), "02", "string 00:00:00.000001"},
	{LOGICAL("long", "timestamp-millis"), "01", "string 1969-12-31T23:59:59.999+00:00"},
	{LOGICAL("long", "timestamp-micros"), "80 9b ee 02", "string 1970-01-01T00:00:03+00:00"},
	{LOGICAL("long", "timestamp-nanos"), "02", "string 1970-01-01T00:00:00.000000001+00:00"},
	{LOGICAL("long", "timestamp-millis"), "fe ff ff ff ff ff ff ff ff 01", "22008"},
	{LOGICAL("long", "timestamp-millis"), "ff ff ff ff ff ff ff ff ff 01", "22008"},
	{LOGICAL("long", "local-timestamp-millis"), "e4 01", "string 1970-01-01T00:00:00.114"},
	{LOGICAL("int", "timestamp-millis"), "02", "number 1"}, /* of no int: then it is none */
	{LOGICAL("string", "uuid"), "02 78", "string x"},
	{FIXED("16", "uuid"), "00112233445566778899aabbccddeeff", "string 00112233-4455-6677-8899-aabbccddeeff"},
	{FIXED("12", "duration"), "01000000 02000000 bc0b0000", "string P1M2DT3.004S"},
	{FIXED("12", "duration"), "00000000 00000000 00000000", "string P0M0DT0S"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "00", "array []"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "04 02 03 02 04 00", "array [1,-2,2]"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "03 04 02 04 00", "array [1,2]"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "04 02", "22P02"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "03 7f 02 04 00", "22P02"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "03 02 02 04 00", "22P02"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "03 06 02 04 00", "22P02"},
	{"{\"type\":\"array\",\"items\":\"int\"}", "ff ff ff ff ff ff ff ff ff 01 00", "22P02"},
	{"{\"type\":\"array\",\"items\":\"null\"}", "fe ff ff ff ff ff ff ff ff 01 00", "54000"},
	{"{\"type\":\"map\",\"values\":\"string\"}", "02 02 6b 02 0a 00", "object {\"k\":\"\\u000a\"}"},
	{"{\"type\":\"map\",\"values\":\"boolean\"}", "00", "object {}"},
};

static void
describe(char *text, size_t size, UsDecodeResult result, const UsDecoder *decoder,
		 const UsValue *value)
{
	static const char *const kinds[] = {
		"absent", "null", "string", "number", "true", "false", "object", "array"
	};

	if (result == US_DECODE_REFUSED)
		snprintf(text, size, "%s", decoder->error.sqlstate);
	else
		snprintf(text, size, "%s %.*s", kinds[value->kind], (int) value->len,
				 value->data != NULL ? value->data : "");
}

static void
test_values(void)
{
	for (size_t i = 0; i < lengthof(values); i++)
	{
		const ValueCase *one = &values[i];
		char		schema[1024];
		char		got[1024];
		UsDecoder  *decoder;
		UsValue		value[1];
		UsDecodeResult result;
		const char *json;
		bool		refused = strlen(one->expected) == 5 && strchr(one->expected, ' ') == NULL;

		snprintf(schema, sizeof(schema), RECORD(FIELD("v", "%s")), one->type);
		decoder = avro_decoder(schema, "v");
		result = avro_decode(decoder, one->hex, value);
		describe(got, sizeof(got), result, decoder, value);
		if (!tap_ok(strcmp(got, one->expected) == 0, "%s %s", one->type, one->hex))
			tap_note("got %s, not %s", got, one->expected);
		json = avro_json(decoder, one->hex);
		tap_ok(refused ? json == NULL && strcmp(decoder->error.sqlstate, one->expected) == 0 :
			   json != NULL && us_json_tree(json, strlen(json)) != NULL,
			   "... the same as JSON, that is JSON");
		tap_ok(avro_decode(avro_decoder(schema, "other"), one->hex, value) ==
			   US_DECODE_REFUSED || !refused || strcmp(one->expected, "22021") == 0 ||
			   strcmp(one->expected, "22008") == 0 || strstr(one->hex, "80 80 80 80 10") != NULL,
			   "... and one that is stepped over is no longer than the message");
	}
}

/* values in the form of a column's type, and those near to one that are rather texts */
static const struct
{
	UsForm		form;
	const char *type;
	const char *hex;
	bool		binary;
}			forms[] = {
	{US_FORM_TEXT, "\"int\"", "02", false},
	{US_FORM_INT2, "\"int\"", "fe ff 03", true},
	{US_FORM_INT2, "\"int\"", "80 80 04", false},
	{US_FORM_INT2, "\"long\"", "ff ff 03", true},
	{US_FORM_INT2, "\"long\"", "81 80 04", false},
	{US_FORM_INT4, "\"int\"", "ff ff ff ff 0f", true},
	{US_FORM_INT4, "\"long\"", "fe ff ff ff 0f", true},
	{US_FORM_INT4, "\"long\"", "80 80 80 80 10", false},
	{US_FORM_INT4, "\"long\"", "81 80 80 80 10", false},
	{US_FORM_INT8, "\"int\"", "02", true},
	{US_FORM_INT8, "\"long\"", "ff ff ff ff ff ff ff ff ff 01", true},
	{US_FORM_INT8, "\"double\"", "00 00 00 00 00 00 f0 3f", false},
	{US_FORM_INT8, "[\"null\",\"long\"]", "02 02", true},
	{US_FORM_INT8, "[\"null\",\"long\"]", "00", false},
	{US_FORM_INT8, LOGICAL("long", "timestamp-micros"), "02", false},
	{US_FORM_INT4, LOGICAL("int", "date"), "02", false},
	{US_FORM_FLOAT4, "\"float\"", "cd cc cc 3d", true},
	{US_FORM_FLOAT4, "\"float\"", "00 00 00 80", false},
	{US_FORM_FLOAT4, "\"float\"", "01 00 00 00", false},
	{US_FORM_FLOAT4, "\"float\"", "00 00 c0 7f", false},
	{US_FORM_FLOAT4, "\"float\"", "00 00 80 7f", false},
	{US_FORM_FLOAT4, "\"double\"", "9a 99 99 99 99 99 b9 3f", false},
	{US_FORM_FLOAT8, "\"double\"", "9a 99 99 99 99 99 b9 3f", true},
	{US_FORM_FLOAT8, "\"double\"", "01 00 00 00 00 00 00 00", false},
	{US_FORM_FLOAT8, "\"double\"", "00 00 00 00 00 00 00 80", false},
	{US_FORM_FLOAT8, "\"double\"", "00 00 00 00 00 00 f0 7f", false},
	{US_FORM_FLOAT8, "\"float\"", "cd cc cc 3d", false},
	{US_FORM_DATE, LOGICAL("int", "date"), "a2 9e 02", true},	/* 2020-02-29 */
	{US_FORM_DATE, LOGICAL("int", "date"), "f5 af 53", true},	/* 0100-01-01 */
	{US_FORM_DATE, LOGICAL("int", "date"), "f7 af 53", false},	/* the day before */
	{US_FORM_DATE, LOGICAL("int", "date"), "c0 82 e6 02", true},	/* 9999-12-31 */
	{US_FORM_DATE, LOGICAL("int", "date"), "c2 82 e6 02", false},	/* 10000-01-01 */
	{US_FORM_DATE, "\"int\"", "02", false},
	{US_FORM_DATE, LOGICAL("long", "timestamp-micros"), "02", false},
	{US_FORM_TIMESTAMPTZ, LOGICAL("long", "timestamp-millis"), "01", true},
	{US_FORM_TIMESTAMPTZ, LOGICAL("long", "timestamp-micros"), "80 9b ee 02", true},
	{US_FORM_TIMESTAMPTZ, LOGICAL("long", "timestamp-nanos"), "d0 0f", true},
	{US_FORM_TIMESTAMPTZ, LOGICAL("long", "timestamp-nanos"), "d2 0f", false},
	{US_FORM_TIMESTAMPTZ, LOGICAL("long", "timestamp-nanos"), "cf 0f", true},
	{US_FORM_TIMESTAMPTZ, LOGICAL("long", "timestamp-nanos"), "01", false},
	{US_FORM_TIMESTAMPTZ, LOGICAL("long", "local-timestamp-millis"), "e4 01", false},
	{US_FORM_TIMESTAMPTZ, LOGICAL("int", "date"), "02", false},
	{US_FORM_TIMESTAMP, LOGICAL("long", "local-timestamp-millis"), "e4 01", true},
	{US_FORM_TIMESTAMP, LOGICAL("long", "timestamp-millis"), "e4 01", true},
	/* around the first moments of the years 100 and 10000 */
	{US_FORM_TIMESTAMP, LOGICAL("long", "timestamp-millis"), "81 d0 81 d1 f5 ea 1a", false},
	{US_FORM_TIMESTAMP, LOGICAL("long", "timestamp-millis"), "ff cf 81 d1 f5 ea 1a", true},
	{US_FORM_TIMESTAMP, LOGICAL("long", "timestamp-millis"), "fe ef fe a1 fa 9d 73", true},
	{US_FORM_TIMESTAMP, LOGICAL("long", "timestamp-millis"), "80 f0 fe a1 fa 9d 73", false},
	{US_FORM_UUID, FIXED("16", "uuid"), "00112233445566778899aabbccddeeff", true},
	{US_FORM_UUID, FIXED("16", "none"), "00112233445566778899aabbccddeeff", false},
	{US_FORM_UUID, LOGICAL("string", "uuid"), "02 78", false},
	{US_FORM_BYTES, "\"bytes\"", "00", true},
	{US_FORM_BYTES, "\"bytes\"", "06 00 ff 7a", true},
	{US_FORM_BYTES, FIXED("2", "none"), "0a f0", true},
	{US_FORM_BYTES, FIXED("16", "uuid"), "00112233445566778899aabbccddeeff", false},
	{US_FORM_BYTES, DECIMAL("2"), "02 01", false},
	{US_FORM_BYTES, "\"string\"", "02 61", false},
};

static void
test_forms(void)
{
	for (size_t i = 0; i < lengthof(forms); i++)
	{
		char		schema[1024];
		UsDecoder  *decoder;
		UsDecoder  *other;
		UsValue		value;
		UsValue		text;

		snprintf(schema, sizeof(schema), RECORD(FIELD("v", "%s")), forms[i].type);
		decoder = avro_decoder(schema, "v");
		other = avro_decoder(schema, "v");
		avro_ask_form(decoder, forms[i].form);
		tap_ok(avro_decode(decoder, forms[i].hex, &value) == US_DECODE_OK &&
			   (value.kind == US_VALUE_BINARY) == forms[i].binary,
			   "form %d of %s %s: %s", forms[i].form, forms[i].type, forms[i].hex,
			   forms[i].binary ? "as it is" : "as text");
		(void) avro_decode(other, forms[i].hex, &text);
		tap_ok(avro_same_value(forms[i].form, &value, &text), "... is the same value");
	}
}

/* whatever form is asked for, what is refused is so, and what is not is the same */
static void
test_any_form(void)
{
	bool		good = true;

	for (size_t i = 0; i < lengthof(values); i++)
		for (UsForm form = US_FORM_TEXT; form < AVRO_FORMS; form++)
		{
			char		schema[1024];
			UsDecoder  *decoder;
			UsDecoder  *other;
			UsValue		value;
			UsValue		text;
			UsDecodeResult result;

			snprintf(schema, sizeof(schema), RECORD(FIELD("v", "%s")), values[i].type);
			decoder = avro_decoder(schema, "v");
			other = avro_decoder(schema, "v");
			avro_ask_form(decoder, form);
			result = avro_decode(decoder, values[i].hex, &value);
			if (result != avro_decode(other, values[i].hex, &text) ||
				(result == US_DECODE_OK ? !avro_same_value(form, &value, &text) :
				 strcmp(decoder->error.sqlstate, other->error.sqlstate) != 0))
			{
				tap_note("form %d of %s %s", form, values[i].type, values[i].hex);
				good = false;
			}
		}
	tap_ok(good, "no form changes what a value is, or whether it is one");
}

/* a decoder that meets many record types, and one type at several places */
static void
test_plans(void)
{
	UsDecoder  *decoder = avro_decoder(RECORD(FIELD("a", "\"int\"")), "a b");
	UsValue		got[2];
	bool		good = true;

	for (int32 id = AVRO_ID + 1; id < AVRO_ID + 200; id++)
	{
		/* odd ones have the fields the other way round */
		const char *schema = id % 2 != 0 ? RECORD(FIELD("b", "\"int\"") "," FIELD("a", "\"int\"")) :
			RECORD(FIELD("a", "\"int\"") "," FIELD("b", "\"int\""));
		char		error[US_SCHEMA_ERROR_BYTES];

		us_schemas_put(decoder->schemas, id,
					   us_avro_schema_parse(&schema, 1, error, sizeof(error))->root, NULL);
	}
	for (int round = 0; round < 2; round++)
		for (int32 id = AVRO_ID + 1; id < AVRO_ID + 200; id++)
		{
			const char	message[] = {0, 0, 0, 0, (char) id, 2, 4};

			if (decoder->decode(decoder, message, sizeof(message), got) != US_DECODE_OK ||
				*got[id % 2].data != '1' || *got[1 - id % 2].data != '2')
				good = false;
		}
	tap_ok(good, "fields go where the schema of their message says");
}

#define NESTED \
	RECORD(FIELD("id", "\"int\"") "," \
		   FIELD("in", "[\"null\",{\"type\":\"record\",\"name\":\"i\",\"fields\":[" \
				 FIELD("a", "\"string\"") "," FIELD("b", "[\"null\",\"i\"]") "]}]") "," \
		   FIELD("list", "{\"type\":\"array\",\"items\":\"i\"}") "," \
		   FIELD("map", "{\"type\":\"map\",\"values\":\"int\"}"))

/* id 1, in {x, {y, null}}, list [{p, null}, {q, null}], map {k: 1, l: 2, k: 3} */
#define NESTED_HEX	"02 02 02 78 02 02 79 00 04 02 70 00 02 71 00 00 06 02 6b 02 02 6c 04 02 6b 06 00"

static void
test_paths(void)
{
	static const char *const expected[] = {
		"number 1", "string x", "string y", "object {\"a\":\"y\",\"b\":null}", "string q",
		"array [{\"a\":\"p\",\"b\":null},{\"a\":\"q\",\"b\":null}]", "number 3", "absent ",
		"null ", "absent ", "object {\"k\":1,\"l\":2,\"k\":3}"
	};
	static const char paths[] = "id in.a in.b.a in.b list.1.a list map.k map.z in.b.b id.x map";
	UsDecoder  *decoder = avro_decoder(NESTED, paths);
	UsValue		got[lengthof(expected)];
	UsDecodeResult result = avro_decode(decoder, NESTED_HEX, got);
	char		text[200];

	tap_is(result, US_DECODE_OK, "a nested record");
	for (size_t i = 0; i < lengthof(expected); i++)
	{
		describe(text, sizeof(text), result, decoder, &got[i]);
		if (!tap_ok(strcmp(text, expected[i]) == 0, "path %d is %s", (int) i, expected[i]))
			tap_note("got %s", text);
	}
	tap_is(avro_decode(decoder, "02 00 00 00", got), US_DECODE_OK, "null instead of a record");
	tap_ok(got[1].kind == US_VALUE_ABSENT && got[2].kind == US_VALUE_ABSENT,
		   "what would be inside is absent");
	tap_is(avro_decode(decoder, "02 00 00 00 00", got), US_DECODE_REFUSED, "a byte too many");
	tap_ok(strcmp(avro_json(decoder, NESTED_HEX),
				  "{\"id\":1,\"in\":{\"a\":\"x\",\"b\":{\"a\":\"y\",\"b\":null}},"
				  "\"list\":[{\"a\":\"p\",\"b\":null},{\"a\":\"q\",\"b\":null}],"
				  "\"map\":{\"k\":1,\"l\":2,\"k\":3}}") == 0, "all of it as JSON");
}

static void
test_unknown(void)
{
	UsDecoder  *all = avro_decoder(NESTED, "id in list map");
	UsDecoder  *some = avro_decoder(NESTED, "id in.a list map");
	UsValue		got[4];

	(void) avro_decode(all, NESTED_HEX, got);
	tap_ok(!all->unknown, "paths that take everything leave nothing");
	(void) avro_decode(some, NESTED_HEX, got);
	tap_ok(some->unknown, "a field inside a record is left");
}

static void
test_depth(void)
{
	UsDecoder  *decoder = avro_decoder(NESTED, "in");
	UsDecoder  *endless = avro_decoder(RECORD(FIELD("r", "\"r\"")), "x");
	char		hex[4096] = "02";
	UsValue		got[1];

	for (int i = 0; i < 98; i++)
		strcat(hex, "02 02 78");
	strcat(hex, "00 00 00");
	tap_is(avro_decode(decoder, hex, got), US_DECODE_OK, "a list of 98 records in each other");
	hex[strlen(hex) - strlen("00 00 00")] = '\0';
	for (int i = 0; i < 10; i++)
		strcat(hex, "02 02 78");
	strcat(hex, "00 00 00");
	tap_ok(avro_decode(decoder, hex, got) == US_DECODE_REFUSED &&
		   strcmp(decoder->error.sqlstate, "54000") == 0, "of more than 100 it is refused");
	tap_ok(avro_decode(endless, "", got) == US_DECODE_REFUSED &&
		   strcmp(endless->error.sqlstate, "54000") == 0, "so is a record that holds itself");
}

static void
test_frames(void)
{
	static const struct
	{
		const char *hex;
		const char *sqlstate;
	}			frames[] = {
		{"", "22P02"}, {"00", "22P02"}, {"00 00 00 00", "22P02"}, {"7b 22 61 22 3a 31", "22P02"},
		{"00 00 00 00 08 02", "22023"}, {"00 00 00 00 09 02", "22023"},
		{"00 ff ff ff ff 02", "22023"},
	};
	UsDecoder  *decoder = avro_decoder(RECORD(FIELD("a", "\"int\"")), "a");
	UsDecoder  *json = us_decoder_create("json_sr", decoder->paths);
	char		bytes[64];
	UsValue		value;

	us_schemas_put(decoder->schemas, 8, NULL, NULL);
	us_schemas_put(decoder->schemas, 9, NULL, "it is odd");
	for (size_t i = 0; i < lengthof(frames); i++)
	{
		size_t		len = avro_bytes(frames[i].hex, bytes);

		tap_ok(decoder->decode(decoder, bytes, len, &value) == US_DECODE_REFUSED &&
			   strcmp(decoder->error.sqlstate, frames[i].sqlstate) == 0, "avro: %s", frames[i].hex);
	}
	tap_ok(strstr(decoder->error.message, "-1") != NULL, "the number is in the text");
	tap_is(json->decode(json, "{\"a\":1}", 7, &value), US_DECODE_REFUSED, "json_sr without a frame");
	tap_is(json->decode(json, "\0\0\0\0\1{\"a\":1}", 12, &value), US_DECODE_OK, "and with one");
	tap_ok(value.kind == US_VALUE_NUMBER && value.len == 1 && *value.data == '1', "has its fields");
	tap_is(json->decode(json, "\0\0\0\0\1", 5, &value), US_DECODE_EMPTY, "nothing behind the frame");
}

static void
test_roots(void)
{
	UsDecoder  *map = avro_decoder("{\"type\":\"map\",\"values\":\"int\"}", "k");
	UsDecoder  *choice = avro_decoder("[\"null\"," RECORD(FIELD("k", "\"int\"")) "]", "k");
	UsDecoder  *scalar = avro_decoder("\"int\"", "k");
	UsValue		value;

	tap_ok(avro_decode(map, "02 02 6b 06 00", &value) == US_DECODE_OK && *value.data == '3',
		   "a message can be a map");
	tap_ok(avro_decode(choice, "02 06", &value) == US_DECODE_OK && *value.data == '3',
		   "or a record in a union");
	tap_ok(avro_decode(choice, "00", &value) == US_DECODE_REFUSED &&
		   strcmp(choice->error.sqlstate, "22023") == 0, "but not null");
	tap_ok(avro_decode(scalar, "02", &value) == US_DECODE_REFUSED &&
		   strcmp(scalar->error.sqlstate, "22023") == 0, "nor a scalar");
}

static void
test_bad_schemas(void)
{
	static const char *const bad[] = {
		"", "{", "1", "null", "\"nosuch\"", "{}", "{\"type\":1}", "{\"type\":\"record\"}",
		"{\"type\":\"record\",\"name\":\"r\"}", "{\"type\":\"record\",\"name\":\"r\",\"fields\":{}}",
		RECORD("1"), RECORD("{\"name\":\"a\"}"), RECORD("{\"type\":\"int\"}"),
		RECORD(FIELD("a", "\"nosuch\"")), "{\"type\":\"array\"}", "{\"type\":\"map\"}",
		"{\"type\":\"fixed\",\"name\":\"f\"}", "{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}",
		"{\"type\":\"enum\",\"name\":\"e\"}", "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[1]}",
		"[\"null\",[\"int\"]]", "\"\xff\"",
		"[{\"type\":\"fixed\",\"name\":\"f\",\"size\":1},{\"type\":\"fixed\",\"name\":\"f\",\"size\":1}]",
	};
	char		deep[4096] = "";
	const char *text = deep;
	char		error[US_SCHEMA_ERROR_BYTES];

	for (size_t i = 0; i < lengthof(bad); i++)
		tap_ok(us_avro_schema_parse(&bad[i], 1, error, sizeof(error)) == NULL && error[0] != '\0',
			   "bad schema %s: %s", bad[i], error);
	for (int i = 0; i < 99; i++)
		strcat(deep, "{\"type\":");
	strcat(deep, "\"int\"");
	for (int i = 0; i < 99; i++)
		strcat(deep, "}");
	tap_ok(us_avro_schema_parse(&text, 1, error, sizeof(error)) != NULL, "99 levels of a schema");
	memmove(deep + 8 * 10, deep, strlen(deep) + 1);
	for (int i = 0; i < 10; i++)
		memcpy(deep + 8 * i, "{\"type\":", 8);
	strcat(deep, "}}}}}}}}}}");
	tap_ok(us_avro_schema_parse(&text, 1, error, sizeof(error)) == NULL, "109 are too many");
}

static void
test_names(void)
{
	static const char *const texts[] = {
		"{\"type\":\"record\",\"name\":\"x.y.A\",\"fields\":[" FIELD("n", "\"int\"") "]}",
		"{\"type\":\"record\",\"name\":\"B\",\"namespace\":\"x.y\",\"fields\":["
		FIELD("a", "\"A\"") "," FIELD("c", "\"x.y.A\"") ","
		FIELD("d", "{\"type\":\"fixed\",\"name\":\"A\",\"namespace\":\"other\",\"size\":1}") ","
		FIELD("e", "\"other.A\"") "]}",
	};
	char		error[US_SCHEMA_ERROR_BYTES];
	UsAvroSchema *schema = us_avro_schema_parse(texts, 2, error, sizeof(error));

	if (!tap_ok(schema != NULL, "a schema that refers to another"))
		tap_note("%s", error);
	else
	{
		tap_ok(schema->root->members[0].type == schema->root->members[1].type,
			   "by its short name in the same namespace, and by its full one");
		tap_ok(schema->root->members[2].type == schema->root->members[3].type &&
			   schema->root->members[3].type->kind == US_AVRO_FIXED, "another namespace's is another");
	}
	tap_ok(us_avro_schema_parse(texts + 1, 1, error, sizeof(error)) == NULL,
		   "alone it lacks the other: %s", error);
}

static void
test_schemas(void)
{
	UsSchemas  *schemas = us_schemas_create();
	int			wrong = 0;
	UsAvroType	type = {0};

	for (int32 id = -500; id < 500; id++)
		us_schemas_put(schemas, id * 7919, id % 2 == 0 ? &type : NULL, id % 3 == 0 ? "bad" : NULL);
	for (int32 id = -500; id < 500; id++)
	{
		const UsSchema *found = us_schemas_find(schemas, id * 7919);

		wrong += found == NULL || found->id != id * 7919 ||
			(found->root != NULL) != (id % 2 == 0) ||
			found->unknown != (id % 2 != 0 && id % 3 != 0);
	}
	tap_is(wrong, 0, "a thousand schemas are found again");
	tap_ok(us_schemas_find(schemas, 1) == NULL, "others are not");
	us_schemas_forget_unknown(schemas);
	tap_ok(us_schemas_find(schemas, 7919) == NULL, "an unknown one can be forgotten");
	tap_ok(us_schemas_find(schemas, 2 * 7919) != NULL && us_schemas_find(schemas, 3 * 7919) != NULL,
		   "the others stay");
}

/* every day has the date that follows that of the day before */
static void
test_calendar(void)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			year = 1;
	int			month = 1;
	int			day = 1;
	int			wrong = 0;

	for (int64 days = -719162; days < 200000; days++)
	{
		bool		leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
		char		expected[48];
		char		text[US_TEXT_BYTES];
		int			len = us_text_date(days, text);

		snprintf(expected, sizeof(expected), "%04d-%02d-%02d", year, month, day);
		wrong += len != (int) strlen(expected) || memcmp(text, expected, len) != 0;
		if (++day > lengths[month - 1] + (month == 2 && leap))
		{
			day = 1;
			if (++month > 12)
			{
				month = 1;
				year++;
			}
		}
	}
	tap_is(wrong, 0, "each day since the year 1");
}

int
main(void)
{
	test_values();
	test_forms();
	test_any_form();
	test_plans();
	test_paths();
	test_unknown();
	test_depth();
	test_frames();
	test_roots();
	test_bad_schemas();
	test_names();
	test_schemas();
	test_calendar();
	return tap_done();
}
