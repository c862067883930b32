/*-------------------------------------------------------------------------
 * test/unit/decode_test.c
 *    formats by name, and the memory of de-escaped strings
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "test/unit/tap.h"
#include "worker/decode.h"

static int
count_chunks(const UsDecoder *decoder, size_t *bytes)
{
	int			count = 0;

	*bytes = 0;
	for (const UsTextChunk *chunk = decoder->chunks; chunk != NULL; chunk = chunk->next)
	{
		count++;
		*bytes += chunk->size;
	}
	return count;
}

static void
test_formats(const UsPathSet *paths)
{
	UsDecoder  *decoder = us_decoder_create("json", paths);

	tap_ok(decoder != NULL && decoder->decode == us_decode_json, "json is a format");
	tap_ok(decoder->paths == paths && strcmp(decoder->format->name, "json") == 0, "what it was made for");
	tap_ok(us_decoder_create("protobuf", paths) == NULL, "a format that does not exist");
	tap_ok(us_decoder_create("JSON", paths) == NULL, "names are exact");
	tap_ok(us_decoder_create("", paths) == NULL, "no name");
}

/* write into all of each text, so that texts over each other are seen */
static void
test_text(const UsPathSet *paths)
{
	static const size_t sizes[] = {1, 0, 100, 65536, 1, 65535, 70000, 30000, 30000, 30000, 3};
	UsDecoder  *decoder = us_decoder_create("json", paths);
	char	   *texts[lengthof(sizes)];
	int			wrong = 0;

	/* each round begins with another size, so that kept chunks do not fit */
	for (size_t round = 0; round < lengthof(sizes); round++)
	{
		for (size_t k = 0; k < lengthof(sizes); k++)
		{
			size_t		i = (k + round) % lengthof(sizes);

			texts[i] = us_decoder_text(decoder, sizes[i]);
			memset(texts[i], (int) i + 1, sizes[i]);
		}
		for (size_t i = 0; i < lengthof(sizes); i++)
		{
			for (size_t at = 0; at < sizes[i]; at++)
				wrong += (texts[i][at] != (char) (i + 1));
		}
		us_decoder_reset(decoder);
	}
	tap_is(wrong, 0, "texts keep their bytes until the reset");
}

static void
test_trim(const UsPathSet *paths)
{
	UsDecoder  *decoder = us_decoder_create("json", paths);
	char	   *first = us_decoder_text(decoder, 100);
	char	   *second;

	us_decoder_text_trim(decoder, 60);
	second = us_decoder_text(decoder, 10);
	tap_is(second - first, 40, "what was given back is used again");
	us_decoder_text_trim(decoder, 10);
	tap_ok(us_decoder_text(decoder, 5) == second, "a text can be given back wholly");
}

static void
test_reuse(const UsPathSet *paths)
{
	UsDecoder  *decoder = us_decoder_create("json", paths);
	UsTextChunk *first;
	size_t		before;
	size_t		after;
	int			count;

	us_decoder_reset(decoder);
	tap_ok(decoder->chunks == NULL, "nothing is allocated before it is needed");

	for (int i = 0; i < 10; i++)
		us_decoder_text(decoder, 40000);
	first = decoder->chunks;
	count = count_chunks(decoder, &before);
	us_decoder_reset(decoder);
	for (int i = 0; i < 10; i++)
		us_decoder_text(decoder, 40000);
	tap_is(count_chunks(decoder, &after), count, "the same batch again needs no new chunk");
	tap_ok(decoder->chunks == first && before == after, "and the chunks are the same");

	us_decoder_reset(decoder);
	us_decoder_text(decoder, 10);
	us_decoder_text(decoder, 100000);
	tap_is(count_chunks(decoder, &after), count + 1, "one that does not fit comes between");
	us_decoder_text(decoder, 65536);
	tap_is(count_chunks(decoder, &after), count + 1, "and those behind are still used");
}

static void
test_give_back(const UsPathSet *paths)
{
	UsDecoder  *decoder = us_decoder_create("json", paths);
	size_t		bytes;

	us_decoder_text(decoder, 10);
	us_decoder_text(decoder, 2 * 1024 * 1024);
	us_decoder_text(decoder, 10);
	us_decoder_reset(decoder);
	count_chunks(decoder, &bytes);
	tap_ok(bytes > 0 && bytes <= 1024 * 1024, "a big chunk is given back");

	for (int i = 0; i < 1000; i++)
		us_decoder_text(decoder, 60000);
	us_decoder_reset(decoder);
	count_chunks(decoder, &bytes);
	tap_ok(bytes > 1024 * 1024 && bytes <= 4 * 1024 * 1024,
		   "so are small ones when they were very many");
	memset(us_decoder_text(decoder, 60000), 'x', 60000);
	tap_ok(true, "and it goes on from there");
}

int
main(void)
{
	UsPathSet  *paths = us_path_set_create();

	test_formats(paths);
	test_text(paths);
	test_trim(paths);
	test_reuse(paths);
	test_give_back(paths);
	return tap_done();
}
