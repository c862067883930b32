/*-------------------------------------------------------------------------
 * dashboard/reply.c
 *    an answer, whole before its first byte is sent
 *-------------------------------------------------------------------------
 */
#include "dashboard/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *
reason(int status)
{
	switch (status)
	{
		case 200:
			return "OK";
		case 304:
			return "Not Modified";
		case 400:
			return "Bad Request";
		case 403:
			return "Forbidden";
		case 404:
			return "Not Found";
		case 405:
			return "Method Not Allowed";
		case 414:
			return "URI Too Long";
		case 501:
			return "Not Implemented";
		case 503:
			return "Service Unavailable";
		default:
			return "Internal Server Error";
	}
}

/* FNV-1a; a tag need not be hard to forge */
static uint64_t
hash(const char *bytes, size_t len)
{
	uint64_t	h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char) bytes[i]) * UINT64_C(1099511628211);
	return h;
}

/* compression in a server may have put -gzip behind it; W/ says no more than ours does */
bool
us_etag_matches(const char *header, const char *etag)
{
	size_t		len = strlen(etag);

	if (strcmp(header, "*") == 0)
		return true;
	for (const char *at = header; (at = strchr(at, '"')) != NULL;)
	{
		size_t		tag_len = strcspn(at + 1, "\"");

		if (at[1 + tag_len] == '\0')
			return false;
		if (tag_len >= len && memcmp(at + 1, etag, len) == 0 &&
			(tag_len == len || (tag_len == len + 5 && memcmp(at + 1 + len, "-gzip", 5) == 0)))
			return true;
		at += tag_len + 2;
	}
	return false;
}

void
us_reply_write(const UsReply *reply, const UsRequest *request, UsBuf *out)
{
	bool		tagged = reply->status == 200 && reply->caching == US_CACHING_PAGE;
	int			status = reply->status;
	char		etag[20] = "";

	if (tagged)
	{
		snprintf(etag, sizeof(etag), "%016" PRIx64, hash(us_buf_text(&reply->body),
					  reply->stable_len ? reply->stable_len : reply->body.len));
		if (request->if_none_match[0] && us_etag_matches(request->if_none_match, etag))
			status = 304;
	}
	us_buf_printf(out, "Status: %d %s\r\n", status, reason(status));
	if (status != 304)
		us_buf_printf(out, "Content-Type: %s\r\n", reply->type);
	if (tagged)
		us_buf_printf(out, "ETag: \"%s\"\r\nCache-Control: private, no-cache\r\n", etag);
	else
		us_buf_puts(out, "Cache-Control: no-store\r\n");
	us_buf_puts(out, "Vary: Accept, Accept-Language, Cookie\r\n");
	if (request->sets_language)
		us_buf_printf(out, "Set-Cookie: " US_REQUEST_COOKIE "=%s; Path=/; Max-Age=31536000; SameSite=Strict; HttpOnly\r\n",
					  us_language_code(request->language));
	if (reply->file_name)
		us_buf_printf(out, "Content-Disposition: attachment; filename=\"%s\"\r\n", reply->file_name);
	if (reply->db_us > 0)
		us_buf_printf(out, "Server-Timing: db;dur=%.1f\r\n", (double) reply->db_us / 1000);
	if (reply->retry_later)
		us_buf_puts(out, "Retry-After: 5\r\n");
	if (status == 405)
		us_buf_puts(out, "Allow: GET, HEAD\r\n");
	/* Plotly makes one empty <style>, and fills it by rules: the sum is that of nothing */
	us_buf_printf(out,
				"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'%s;"
				" img-src 'self' data:%s; connect-src 'self'; base-uri 'none'; form-action 'self';"
				" frame-ancestors 'none'\r\n"
				"X-Content-Type-Options: nosniff\r\n"
				"X-Frame-Options: DENY\r\n"
				"Referrer-Policy: no-referrer\r\n"
				"Cross-Origin-Resource-Policy: same-origin\r\n"
				"Cross-Origin-Opener-Policy: same-origin\r\n",
				reply->plotly ? " 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='" : "",
				reply->plotly ? " blob:" : "");
	if (status != 304)
		us_buf_printf(out, "Content-Length: %zu\r\n", reply->body.len);
	us_buf_puts(out, "\r\n");
	if (status != 304 && !request->is_head)
		us_buf_add(out, us_buf_text(&reply->body), reply->body.len);
	if (reply->body.failed)
		out->failed = true;
}
