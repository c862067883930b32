/*-------------------------------------------------------------------------
 * worker/csv.c
 *    lines of CSV -> fields, by the rules of COPY
 *
 * A quote may begin and end anywhere in a field; what was quoted is never
 * NULL; an escape counts within quotes only, and only before a quote or
 * another escape.  Where a line ends and what its fields are is read by two
 * loops that take escapes differently, as in COPY: the first does not look at
 * what follows one.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/csv.h"

static inline bool
ends_line(char c)
{
	return c == '\n' || c == '\r';
}

const char *
us_csv_dialect(UsCsv *csv, const char *delimiter, const char *quote, const char *escape,
			   const char *null)
{
	csv->delimiter = delimiter != NULL ? delimiter[0] : ',';
	csv->quote = quote != NULL ? quote[0] : '"';
	csv->escape = escape != NULL ? escape[0] : csv->quote;
	csv->null = null != NULL ? null : "";
	csv->null_len = (int) strlen(csv->null);
	if (ends_line(csv->delimiter) || ends_line(csv->quote) || ends_line(csv->escape))
		return "Neither delimiter nor quote nor escape can be a newline or carriage return.";
	if (csv->delimiter == csv->quote)
		return "Delimiter and quote must be different.";
	if (strpbrk(csv->null, "\r\n") != NULL)
		return "The text for NULL cannot hold a newline or carriage return.";
	if (strchr(csv->null, csv->delimiter) != NULL || strchr(csv->null, csv->quote) != NULL)
		return "The text for NULL can hold neither delimiter nor quote.";
	return NULL;
}

const char *
us_csv_line_end(const UsCsv *csv, const char *data, const char *end)
{
	/* an escape that is the quote itself needs no care: it closes and opens */
	char		escape = csv->escape == csv->quote ? '\0' : csv->escape;
	bool		quoted = false;
	bool		escaped = false;

	for (; data < end; data++)
	{
		char		c = *data;

		if (quoted && c == escape)
			escaped = !escaped;
		if (c == csv->quote && !escaped)
			quoted = !quoted;
		if (c != escape)
			escaped = false;
		if (!quoted && ends_line(c))
			break;
	}
	return data;
}

const char *
us_csv_skip_end(const char *data, const char *end)
{
	if (data < end && *data == '\r')
		data++;
	else if (data < end && *data == '\n')
		return data + 1;
	if (data < end && *data == '\n')
		data++;
	return data;
}

/* what is within quotes, from behind the first; false: they stay open */
static inline bool
read_quoted(const UsCsv *csv, const char **data, const char *end, char **out)
{
	const char *s = *data;

	while (s < end)
	{
		char		c = *s++;

		if (c == csv->escape && s < end && (*s == csv->quote || *s == csv->escape))
			c = *s++;
		else if (c == csv->quote)
		{
			*data = s;
			return true;
		}
		if (*out != NULL)
			*(*out)++ = c;
	}
	*data = s;
	return false;
}

UsCsvEnd
us_csv_next(const UsCsv *csv, const char **data, const char *end, char *text, UsValue *value)
{
	const char *start = *data;
	const char *s = start;
	char	   *out = text;
	bool		quoted = false;
	UsCsvEnd	result;

	while (s < end && *s != csv->delimiter && !ends_line(*s))
	{
		if (*s != csv->quote)
		{
			if (out != NULL)
				*out++ = *s;
			s++;
			continue;
		}
		quoted = true;
		s++;
		if (!read_quoted(csv, &s, end, &out))
		{
			*data = s;
			return US_CSV_OPEN;
		}
	}
	if (value != NULL)
	{
		value->data = quoted ? text : start;
		value->len = (uint32) (quoted ? out - text : s - start);
		value->kind = !quoted && (int) value->len == csv->null_len &&
			memcmp(start, csv->null, csv->null_len) == 0 ? US_VALUE_NULL : US_VALUE_STRING;
	}
	result = s < end && *s == csv->delimiter ? US_CSV_FIELD : US_CSV_LINE;
	*data = result == US_CSV_FIELD ? s + 1 : us_csv_skip_end(s, end);
	return result;
}
