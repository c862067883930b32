/*-------------------------------------------------------------------------
 * test/unit/fuzz.c
 *    what programs that take any bytes have in common
 *
 * Built with libFuzzer (make fuzz) its entry; without it the files of the
 * corpus, each also with bytes changed (make check).
 *-------------------------------------------------------------------------
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/fuzz.h"
#include "test/unit/tap.h"

const char *
fuzz_judge_text(const uint8_t *data, size_t len,
				const char *(*judge) (int kind, char *text, size_t len))
{
	const char *wrong;
	char	   *text;

	if (len == 0)
		return NULL;
	text = malloc(len);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	wrong = judge(data[0] % fuzz_target.kinds, text, len - 1);
	free(text);
	return wrong;
}

#ifdef FUZZ

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *wrong = len > fuzz_target.max_bytes ? NULL : fuzz_target.judge(data, len);

	if (wrong != NULL)
	{
		fprintf(stderr, "%s_fuzz: %s\n", fuzz_target.name, wrong);
		abort();
	}
	return 0;
}

#else

/* as it is, with each byte left out or the largest, and as each other kind */
static const char *
judge_all(const uint8_t *bytes, size_t len)
{
	uint8_t		changed[FUZZ_MAX_BYTES];
	const char *wrong = fuzz_target.judge(bytes, len);

	for (size_t at = 0; at < len && wrong == NULL; at++)
	{
		memcpy(changed, bytes, at);
		memcpy(changed + at, bytes + at + 1, len - at - 1);
		wrong = fuzz_target.judge(changed, len - 1);
		if (wrong != NULL || (at == 0 && fuzz_target.kinds > 0))
			continue;
		memcpy(changed, bytes, len);
		changed[at] = 0xff;
		wrong = fuzz_target.judge(changed, len);
	}
	for (int kind = 0; kind < fuzz_target.kinds && len > 0 && wrong == NULL; kind++)
	{
		memcpy(changed, bytes, len);
		changed[0] = (uint8_t) kind;
		wrong = fuzz_target.judge(changed, len);
	}
	return wrong;
}

static void
test_file(const char *name)
{
	uint8_t		bytes[FUZZ_MAX_BYTES];
	char		path[4096];
	const char *wrong;
	FILE	   *file;
	size_t		len;

	snprintf(path, sizeof(path), "corpus/%s/%s", fuzz_target.name, name);
	file = fopen(path, "rb");
	if (!tap_ok(file != NULL, "corpus %s", name))
		return;
	len = fread(bytes, 1, fuzz_target.max_bytes, file);
	fclose(file);
	wrong = judge_all(bytes, len);
	if (!tap_ok(wrong == NULL, "%s", fuzz_target.good))
		tap_note("%s", wrong);
}

int
fuzz_corpus(void)
{
	char		folder[256];
	DIR		   *dir;
	struct dirent *entry;

	snprintf(folder, sizeof(folder), "corpus/%s", fuzz_target.name);
	dir = opendir(folder);
	if (!tap_ok(dir != NULL, "the folder %s can be read", folder))
		return tap_done();
	while ((entry = readdir(dir)) != NULL)
	{
		if (entry->d_name[0] != '.')
			test_file(entry->d_name);
	}
	closedir(dir);
	return tap_done();
}

#endif
