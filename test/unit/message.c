/*-------------------------------------------------------------------------
 * test/unit/message.c
 *    messages for the decoder's tests, placed where reading past them is seen
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <sys/mman.h>
#include <unistd.h>

#include "test/unit/message.h"
#include "worker/json_marks.h"

#define MAX_FIELDS	2000

static UsValue values[MAX_FIELDS];
static char *last;
static size_t last_len;

/* whole pages for the bytes, and one more that stays closed */
static size_t
mapped_bytes(size_t len)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);

	return (len + page - 1) / page * page + page;
}

char *
message_create(const char *bytes, size_t len)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	size_t		mapped = mapped_bytes(len);
	char	   *pages = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
							 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char	   *message;

	if (pages == MAP_FAILED || mprotect(pages + mapped - page, page, PROT_NONE) != 0)
		abort();
	message = pages + mapped - page - len;
	memcpy(message, bytes, len);
	return message;
}

void
message_free(char *message, size_t len)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	size_t		mapped = mapped_bytes(len);

	munmap(message + len + page - mapped, mapped);
}

UsDecoder *
decoder_for(const char *paths)
{
	UsPathSet  *set = us_path_set_create();
	char	   *list = pstrdup(paths);

	for (char *text = strtok(list, " "); text != NULL; text = strtok(NULL, " "))
	{
		UsPath		path;
		const char *error;

		if (!us_path_parse(text, &path, &error))
			abort();
		us_path_set_add(set, path.steps, path.nsteps);
		pfree(path.steps);
	}
	pfree(list);
	return us_decoder_create("json", set);
}

static bool
values_are_equal(const UsValue *a, const UsValue *b, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (a[i].kind != b[i].kind ||
			(a[i].kind != US_VALUE_ABSENT &&
			 (a[i].len != b[i].len || memcmp(a[i].data, b[i].data, a[i].len) != 0)))
			return false;
	}
	return true;
}

UsDecodeResult
decode_every_way(UsDecoder *decoder, const char *data, size_t len, UsValue *best)
{
	static UsValue others[MAX_FIELDS];
	UsDecodeResult result;
	bool		unknown;

	/* a value left from before would show as garbage */
	memset(best, 0x7f, sizeof(UsValue) * decoder->paths->nfields);
	(void) us_json_mark_use(0);
	result = decoder->decode(decoder, data, len, best);
	unknown = decoder->unknown;

	for (int way = 1; us_json_mark_use(way) != NULL; way++)
	{
		memset(others, 0x7f, sizeof(UsValue) * decoder->paths->nfields);
		if (decoder->decode(decoder, data, len, others) != result ||
			decoder->unknown != unknown ||
			(result <= US_DECODE_UNSURE &&
			 !values_are_equal(best, others, decoder->paths->nfields)))
		{
			fprintf(stderr, "another way of finding marks gives another result\n");
			abort();
		}
	}
	return result;
}

UsDecodeResult
decode_bytes(UsDecoder *decoder, const char *bytes, size_t len)
{
	UsDecodeResult onheap;
	UsDecodeResult onpage;
	char	   *copy = malloc(len);

	if (decoder->paths->nfields > MAX_FIELDS)
		abort();

	/* first where the sanitizer sees a byte too far, on either side */
	memcpy(copy, bytes, len);
	onheap = decode_every_way(decoder, copy, len, values);
	free(copy);

	if (last != NULL)
		message_free(last, last_len);
	last = message_create(bytes, len);
	last_len = len;
	onpage = decode_every_way(decoder, last, len, values);
	if (onheap != onpage)
		abort();
	return onpage;
}

const UsValue *
decoded(int field)
{
	return &values[field];
}

const char *
result_name(UsDecodeResult result)
{
	static const char *const names[] = {
		"OK", "UNSURE", "EMPTY", "BAD_ENCODING", "INVALID", "NOT_OBJECT", "REMOVED", "REFUSED"
	};

	return (size_t) result < lengthof(names) ? names[result] : "?";
}

const char *
kind_name(UsValueKind kind)
{
	static const char *const names[] = {
		"absent", "null", "string", "number", "true", "false", "object", "array"
	};

	return (size_t) kind < lengthof(names) ? names[kind] : "?";
}
