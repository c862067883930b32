/*-------------------------------------------------------------------------
 * worker/csv.h
 *    the dialect of a stream's CSV, and lines of it -> fields
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests.  The rules
 * are those of PostgreSQL's COPY ... (FORMAT csv), which is not used itself:
 * it reads files, one per call, raises, and keeps nothing from one message to
 * the next.
 *-------------------------------------------------------------------------
 */
#ifndef US_CSV_H
#define US_CSV_H

#include "worker/decode.h"

struct UsCsv
{
	char		delimiter;
	char		quote;
	char		escape;
	const char *null;			/* an unquoted field of just this is NULL */
	int			null_len;		/* bytes */

	/* of the table's messages; 0 and NULL while only lines are read */
	int			ncolumns;		/* of each line */
	char	  **names;			/* their names, UTF-8 */
	int		   *fields;			/* of each: value that takes it; -1 = none */
};

typedef enum UsCsvEnd
{
	US_CSV_FIELD,				/* a delimiter follows: there is another field */
	US_CSV_LINE,				/* the line's last field */
	US_CSV_OPEN					/* the text ends within quotes */
} UsCsvEnd;

/*
 * us_csv_dialect -- the dialect that a stream's options give
 *
 * In:      each NULL = as COPY has it; null in the messages' encoding
 * Returns: NULL, or what is wrong with them, a constant
 */
extern const char *us_csv_dialect(UsCsv *csv, const char *delimiter, const char *quote,
								  const char *escape, const char *null);

/*
 * us_csv_next -- read one field
 *
 * In:      data   where it begins; behind it room for nothing but what is there
 *          text   NULL, or room for end - data bytes: its bytes without quotes
 * Out:     data   where the next begins; the end of a line is skipped
 *          value  if not NULL: STRING, or NULL; its bytes lie in text, or in the
 *                 line itself when nothing of them is quoted
 */
extern UsCsvEnd us_csv_next(const UsCsv *csv, const char **data, const char *end, char *text,
							UsValue *value);

/* the end of the line that begins at data, as quotes have it; not the bytes that end it */
extern const char *us_csv_line_end(const UsCsv *csv, const char *data, const char *end);

/* behind the line's end at data: one newline, carriage return, or both */
extern const char *us_csv_skip_end(const char *data, const char *end);

/* worker/decode_csv.c; the decoder's csv is set */
extern UsDecodeResult us_decode_csv(UsDecoder *decoder, const char *data, size_t len,
									UsValue *values);

#endif							/* US_CSV_H */
