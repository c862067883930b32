/*-------------------------------------------------------------------------
 * test/unit/json_marks_test.c
 *    every way of finding marks finds the same: those that a look at each
 *    byte finds, and UTF-8 exactly where PostgreSQL sees it
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "mb/pg_wchar.h"
#include "test/unit/message.h"
#include "test/unit/tap.h"
#include "worker/json_marks.h"

#define MAX_LEN		9000		/* two stretches of 64 blocks and more */

static uint64 words[US_JSON_MARK_WORDS(MAX_LEN)];
static uint32 seed = 1;

static uint32
random_below(uint32 limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

static bool
is_mark(const char *text, size_t len, size_t at)
{
	unsigned char c = at < len ? text[at] : 0;

	return c == '"' || c == '\\' || c < 0x20;
}

/* NULL, or what is wrong about a text that ends where the next byte cannot be read */
static const char *
judge(const char *bytes, size_t len)
{
	char	   *text = message_create(bytes, len);
	bool		good = pg_encoding_verifymbstr(PG_UTF8, text, (int) len) == (int) len;
	const char *wrong = NULL;

	memset(words, 0xa5, sizeof(words));
	if (us_json_mark(text, len, words) != good)
		wrong = "UTF-8";
	for (size_t at = 0; good && at <= len && wrong == NULL; at++)
	{
		size_t		found = us_json_mark_find(words, at);

		if (((words[at / 64] >> at % 64) & 1) != is_mark(text, len, at))
			wrong = "a mark";
		if (found < at || found > len || !is_mark(text, len, found) ||
			(found > at && is_mark(text, len, at)))
			wrong = "the next mark";
	}
	message_free(text, len);
	return wrong;
}

static void
expect_none(const char *way, const char *what, const char *wrong, size_t len)
{
	if (!tap_ok(wrong == NULL, "%s: %s", way, what))
		tap_note("%s differs at a length of %zu", wrong, len);
}

/* each byte, alone and between others, at each place of a block */
static void
test_bytes(const char *way)
{
	const char *wrong = NULL;
	size_t		len = 0;

	for (int byte = 0; byte < 256 && wrong == NULL; byte++)
	{
		for (size_t at = 0; at < 70 && wrong == NULL; at++)
		{
			char		text[200];

			len = at + 1 + random_below(70);
			memset(text, byte % 2 == 0 ? 'a' : ' ', len);
			text[at] = (char) byte;
			wrong = judge(text, len);
		}
	}
	expect_none(way, "each byte at each place", wrong, len);
}

static void
test_random(const char *way, const char *what, const char *const pieces[], int npieces, int rounds)
{
	static char text[MAX_LEN];
	const char *wrong = NULL;
	size_t		len = 0;

	for (int round = 0; round < rounds && wrong == NULL; round++)
	{
		size_t		limit = random_below(round % 10 == 0 ? MAX_LEN : 300);

		len = 0;
		for (;;)
		{
			const char *piece = pieces[random_below(npieces)];
			size_t		piece_len = strlen(piece);

			if (len + piece_len > limit)
				break;
			memcpy(text + len, piece, piece_len);
			len += piece_len;
		}

		/* one in a few is spoiled, mostly where a character was */
		if (len > 0 && round % 4 == 0)
			text[random_below(len)] = (char) random_below(256);
		wrong = judge(text, len);
	}
	expect_none(way, what, wrong, len);
}

/* the last byte of a character is missing, around where blocks and stretches end */
static void
test_cut_characters(const char *way)
{
	static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	static char text[MAX_LEN];
	const char *wrong = NULL;
	size_t		len = 0;

	for (size_t i = 0; i < lengthof(characters); i++)
	{
		size_t		char_len = strlen(characters[i]);

		for (size_t end = 64; end <= 8192 && wrong == NULL; end *= 2)
		{
			for (size_t at = end - 4; at <= end && wrong == NULL; at++)
			{
				memset(text, 'a', MAX_LEN);
				memcpy(text + at, characters[i], char_len);
				for (len = at; len <= at + char_len + 1 && wrong == NULL; len++)
					wrong = judge(text, len);
				text[at + char_len - 1] = 'a';
				len = at + 100;
				if (wrong == NULL)
					wrong = judge(text, len);
			}
		}
	}
	expect_none(way, "characters that are cut", wrong, len);
}

int
main(void)
{
	static const char *const plain[] = {
		"a", "bcdefgh", "0123456789abcdef0123456789abcdef", "\"", "\\", "\n", "\x1f", " ", "!", "\x7f", "{}"
	};
	static const char *const mixed[] = {
		"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"", "\\", "\t",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	};
	const char *way;
	int			ways = 0;

	while ((way = us_json_mark_use(ways)) != NULL)
	{
		test_bytes(way);
		test_random(way, "random ASCII", plain, lengthof(plain), 3000);
		test_random(way, "random characters", mixed, lengthof(mixed), 3000);
		test_cut_characters(way);
		ways++;
	}
	tap_ok(ways > 0 && us_json_mark_use(ways + 1) == NULL, "%d ways", ways);
	return tap_done();
}
