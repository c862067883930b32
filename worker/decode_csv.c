/*-------------------------------------------------------------------------
 * worker/decode_csv.c
 *    a line of CSV -> the values of the columns that take them
 *
 * Fields are texts for the types' input functions, as in COPY.  One that is
 * not quoted points into the message.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "mb/pg_wchar.h"
#include "worker/csv.h"

#define BAD_FORMAT	"22P04"		/* bad_copy_file_format */

static UsDecodeResult
refuse_extra(UsDecoder *decoder)
{
	return us_decoder_refuse(decoder, -1, BAD_FORMAT, NULL,
							 "extra data after last expected column");
}

static UsDecodeResult
refuse_missing(UsDecoder *decoder, int column)
{
	const char *name = decoder->csv->names[column];

	return us_decoder_refuse(decoder, -1, BAD_FORMAT, NULL,
							 "missing data for column \"%.*s\"",
							 us_decoder_clip(name, strlen(name)), name);
}

/* the columns of one line; *data goes behind it */
static UsDecodeResult
read_line(UsDecoder *decoder, const char **data, const char *end, UsValue *values)
{
	const UsCsv *csv = decoder->csv;
	UsCsvEnd	found = US_CSV_FIELD;

	for (int column = 0; found == US_CSV_FIELD; column++)
	{
		const char *start = *data;
		char	   *text = NULL;
		UsValue		value;

		if (column == csv->ncolumns)
			return refuse_extra(decoder);
		/* only what is quoted is copied; how much that is shows when it is read */
		if (csv->fields[column] >= 0)
			text = us_decoder_text(decoder, end - start);
		found = us_csv_next(csv, data, end, text, &value);
		if (text != NULL)
			us_decoder_text_trim(decoder, (end - start) -
								 (found != US_CSV_OPEN && value.data == text ? value.len : 0));
		if (found == US_CSV_OPEN)
			return us_decoder_refuse(decoder, -1, BAD_FORMAT, NULL,
									 "unterminated CSV quoted field");
		if (csv->fields[column] >= 0)
			values[csv->fields[column]] = value;
		if (found == US_CSV_LINE && column + 1 < csv->ncolumns)
			return refuse_missing(decoder, column + 1);
	}
	return US_DECODE_OK;
}

UsDecodeResult
us_decode_csv(UsDecoder *decoder, const char *data, size_t len, UsValue *values)
{
	const char *end = data + len;
	UsDecodeResult result;

	decoder->unknown = false;
	for (int i = 0; i < decoder->paths->nfields; i++)
		values[i] = (UsValue) {NULL, 0, US_VALUE_ABSENT};
	if (len > PG_INT32_MAX || pg_encoding_verifymbstr(PG_UTF8, data, (int) len) != (int) len)
		return US_DECODE_BAD_ENCODING;

	result = read_line(decoder, &data, end, values);
	if (result == US_DECODE_OK && data < end)
		return us_decoder_refuse(decoder, -1, BAD_FORMAT,
								 "Option \"explode\" of the stream makes a row of each line.",
								 "message has more than one line");
	return result;
}
