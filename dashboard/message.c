/*-------------------------------------------------------------------------
 * dashboard/message.c
 *    what one message holds: key, value, headers; shown, or as a download
 *-------------------------------------------------------------------------
 */
#include "dashboard/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dashboard/escape.h"
#include "dashboard/format.h"
#include "dashboard/words.h"

enum
{
	HEX_BYTES = 4096,			/* shown in hexadecimal */
	HEX_LINE = 16
};

/* offset, bytes, and what of them is ASCII */
static void
write_hex(UsBuf *body, const char *bytes, size_t len)
{
	size_t		shown = len < HEX_BYTES ? len : HEX_BYTES;

	for (size_t at = 0; at < shown; at += HEX_LINE)
	{
		us_buf_printf(body, "%08zx ", at);
		for (size_t i = at; i < at + HEX_LINE; i++)
		{
			if (i < shown)
				us_buf_printf(body, " %02x", (unsigned char) bytes[i]);
			else
				us_buf_puts(body, "   ");
		}
		us_buf_puts(body, "  ");
		for (size_t i = at; i < at + HEX_LINE && i < shown; i++)
		{
			char		text[2] = {bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '.', '\0'};

			us_html_text(body, text);
		}
		us_buf_puts(body, "\n");
	}
	if (shown < len)
		us_buf_puts(body, "...\n");
}

static void
write_forms(UsPage *page, const char *part, const UsBuf *bytes)
{
	const char *data = us_buf_text(bytes);

	us_buf_printf(page->body, "<pre class=\"code\" tabindex=\"0\" aria-label=\"%s\">", us_word(part));
	us_html_bytes(page->body, data, bytes->len);
	us_buf_puts(page->body, "</pre>\n");
	if (us_json_is_valid(data, bytes->len))
	{
		UsBuf		indented = {0};

		us_format_json(&indented, data, bytes->len);
		us_buf_printf(page->body, "<details id=\"%s-json\"><summary>%s</summary><pre class=\"code\">",
					  part, us_text("Indented"));
		us_html_bytes(page->body, us_buf_text(&indented), indented.len);
		us_buf_puts(page->body, "</pre></details>\n");
		us_buf_free(&indented);
	}
	us_buf_printf(page->body, "<details id=\"%s-hex\"><summary>%s</summary><pre class=\"code\">", part,
				  us_text("Hexadecimal"));
	write_hex(page->body, data, bytes->len);
	us_buf_puts(page->body, "</pre></details>\n");
}

static void
write_part(UsPage *page, const PGresult *rows, int row)
{
	static const char *const kinds[] = {"key", "value", "headers"};
	const char *named = us_row_text(rows, row, "part");
	const char *part = kinds[0];
	const char *size = us_row_text(rows, row, "size");
	const char *hex = us_row_text(rows, row, "bytes");
	UsBuf		bytes = {0};

	/* ours in the statement, and so again here: it becomes ids */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		part = named && strcmp(named, kinds[i]) == 0 ? kinds[i] : part;
	us_buf_printf(page->body, "<section id=\"%s\"><h2 class=\"part\">%s</h2>\n", part, us_word(part));
	if (hex == NULL)
		us_buf_printf(page->body, "<p class=\"none\">%s</p>\n",
					  us_text(strcmp(part, "value") == 0 ? "null: a tombstone" : "none"));
	else
	{
		us_format_unhex(&bytes, hex);
		us_buf_puts(page->body, "<p class=\"note\">");
		us_format_count(page->body, size);
		us_buf_printf(page->body, " %s", us_text("bytes"));
		if (bytes.len == US_MESSAGE_SHOWN)
			us_buf_printf(page->body, us_text(", the first %d of them here"), US_MESSAGE_SHOWN);
		if (strcmp(part, "headers") != 0)
		{
			const char *const changes[] = {"download", part, NULL};

			us_buf_puts(page->body, " · ");
			us_page_link(page, NULL, us_text("Download"), changes);
		}
		us_buf_puts(page->body, "</p>\n");
		if (bytes.len > 0)
			write_forms(page, part, &bytes);
	}
	us_buf_puts(page->body, "</section>\n");
	us_buf_free(&bytes);
}

void
us_message_write(UsPage *page, const PGresult *rows)
{
	for (int row = 0; us_page_is_html(page) && row < PQntuples(rows); row++)
		write_part(page, rows, row);
}

const char *
us_message_wanted(UsRequest *request)
{
	const char *part = us_request_param(request, "download");

	if (part == NULL || strcmp(part, "key") == 0 || strcmp(part, "value") == 0)
		return part;
	us_request_refuse(request, 400, "download must be key or value");
	return NULL;
}

void
us_message_download(UsPage *page, const PGresult *rows, const char *what, int64_t number)
{
	static char file_name[48];

	if (rows == NULL)
		us_request_refuse(page->request, 503, "the message cannot be read now");
	else if (PQntuples(rows) == 0 || PQgetisnull(rows, 0, 0))
		us_request_refuse(page->request, 404, "there is no such part of a message");
	if (page->request->error_status != 0)
		return;
	us_buf_free(page->body);
	us_format_unhex(page->body, PQgetvalue(rows, 0, 0));
	snprintf(file_name, sizeof(file_name), "%s-%" PRId64 ".bin", what, number);
	page->reply->type = "application/octet-stream";
	page->reply->file_name = file_name;
	page->reply->shared = false;
}
