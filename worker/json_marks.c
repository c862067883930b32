/*-------------------------------------------------------------------------
 * worker/json_marks.c
 *    where in a JSON text a string can end or go wrong
 *
 * Three ways that differ in nothing but speed: AVX2, if the processor we run
 * on has it; SSE2, which all of x86-64 has; and plain C.  Each looks at whole
 * blocks of 64 bytes; the last block is filled up with blanks.
 *
 * Whether bytes are UTF-8 is left to PostgreSQL, so that it is the same here
 * and there; but a block of nothing but ASCII is, and need not be asked about.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define HAVE_X86_WAYS
#endif

#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "worker/forced.h"
#include "worker/json_marks.h"

#define BLOCK			64		/* bytes that one word has the marks of */
#define STRETCH			64		/* blocks looked at together: a bit each */

/*
 * Marks of n <= STRETCH blocks.  Returns which blocks (bit i: block i) have
 * something else than ASCII, or a zero byte.
 */
typedef uint64 (*MarkFunction) (const char *data, int n, uint64 *words);

#ifdef HAVE_X86_WAYS

/* 32 bytes; *odd collects those above ASCII, and zeros */
__attribute__((target("avx2")))
static inline uint64
mark_32(const char *data, __m256i *odd)
{
	__m256i		v = _mm256_loadu_si256((const __m256i *) data);
	__m256i		quotes = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"'));
	__m256i		slashes = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'));
	/* there is no unsigned comparison: below 0x20 is what 0x1f does not make smaller */
	__m256i		controls = _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1f)), v);
	__m256i		zeros = _mm256_cmpeq_epi8(v, _mm256_setzero_si256());

	*odd = _mm256_or_si256(*odd, _mm256_or_si256(v, zeros));
	quotes = _mm256_or_si256(quotes, slashes);
	return (uint32) _mm256_movemask_epi8(_mm256_or_si256(quotes, controls));
}

__attribute__((target("avx2")))
static uint64
mark_avx2(const char *data, int n, uint64 *words)
{
	uint64		result = 0;

	for (int i = 0; i < n; i++, data += BLOCK)
	{
		__m256i		odd = _mm256_setzero_si256();
		uint64		low = mark_32(data, &odd);

		words[i] = low | mark_32(data + 32, &odd) << 32;
		result |= (uint64) (_mm256_movemask_epi8(odd) != 0) << i;
	}
	return result;
}

/* the same with 16 bytes */
static inline uint64
mark_16(const char *data, __m128i *odd)
{
	__m128i		v = _mm_loadu_si128((const __m128i *) data);
	__m128i		quotes = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
	__m128i		slashes = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
	__m128i		controls = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
	__m128i		zeros = _mm_cmpeq_epi8(v, _mm_setzero_si128());

	*odd = _mm_or_si128(*odd, _mm_or_si128(v, zeros));
	quotes = _mm_or_si128(quotes, slashes);
	return (uint32) _mm_movemask_epi8(_mm_or_si128(quotes, controls));
}

static uint64
mark_sse2(const char *data, int n, uint64 *words)
{
	uint64		result = 0;

	for (int i = 0; i < n; i++, data += BLOCK)
	{
		__m128i		odd = _mm_setzero_si128();

		words[i] = 0;
		for (int part = 0; part < BLOCK; part += 16)
			words[i] |= mark_16(data + part, &odd) << part;
		result |= (uint64) (_mm_movemask_epi8(odd) != 0) << i;
	}
	return result;
}

static bool
has_avx2(void)
{
	if (US_FORCED(SSE2) || US_FORCED(PLAIN))
		return false;
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2");
}

static bool
has_sse2(void)
{
	return !US_FORCED(PLAIN);
}

#endif							/* HAVE_X86_WAYS */

#define EACH(byte)		(UINT64CONST(0x0101010101010101) * (byte))

/* the high bit of each byte of x that is zero */
static inline uint64
zero_bytes(uint64 x)
{
	return ~(((x & EACH(0x7f)) + EACH(0x7f)) | x | EACH(0x7f));
}

/* the same with eight bytes in a register */
static inline uint64
mark_8(const char *data, uint64 *odd)
{
	uint64		x;
	uint64		marks;

	memcpy(&x, data, sizeof(x));
#ifdef WORDS_BIGENDIAN
	x = pg_bswap64(x);
#endif
	marks = zero_bytes(x ^ EACH('"')) | zero_bytes(x ^ EACH('\\')) | zero_bytes(x & EACH(0xe0));
	*odd |= (x & EACH(0x80)) | zero_bytes(x);

	/* bit 8 * i + 7 to bit i: the product has bit i of the marks at 56 + i, and no carry */
	return ((marks >> 7) * UINT64CONST(0x0102040810204080)) >> 56;
}

static uint64
mark_plain(const char *data, int n, uint64 *words)
{
	uint64		result = 0;

	for (int i = 0; i < n; i++, data += BLOCK)
	{
		uint64		odd = 0;

		words[i] = 0;
		for (int part = 0; part < BLOCK; part += 8)
			words[i] |= mark_8(data + part, &odd) << part;
		result |= (uint64) (odd != 0) << i;
	}
	return result;
}

static bool
always(void)
{
	return true;
}

/* the best first */
static const struct
{
	const char *name;
	bool		(*available) (void);
	MarkFunction mark;
}			ways[] =
{
#ifdef HAVE_X86_WAYS
	{"avx2", has_avx2, mark_avx2},
	{"sse2", has_sse2, mark_sse2},
#endif
	{"plain", always, mark_plain},
};

static MarkFunction mark_blocks = NULL; /* NULL: not chosen yet */

const char *
us_json_mark_use(int way)
{
	for (size_t i = 0; i < lengthof(ways); i++)
	{
		if (ways[i].available() && way-- == 0)
		{
			mark_blocks = ways[i].mark;
			return ways[i].name;
		}
	}
	return NULL;
}

/* bytes of blocks that have something else than ASCII */
typedef struct OddRun
{
	const char *start;			/* NULL: the last block was ASCII */
	bool		valid;			/* what was seen so far is UTF-8 */
} OddRun;

static void
end_run(OddRun *run, const char *end)
{
	int			len = (int) (end - run->start);

	run->valid = run->valid && pg_encoding_verifymbstr(PG_UTF8, run->start, len) == len;
	run->start = NULL;
}

/* one stretch of blocks; a run goes on in the next one, as may its last character */
static void
note_odd(OddRun *run, const char *data, int n, uint64 odd)
{
	if (odd == 0 && run->start == NULL)
		return;
	for (int i = 0; i < n; i++, data += BLOCK, odd >>= 1)
	{
		if ((odd & 1) != 0)
			run->start = run->start != NULL ? run->start : data;
		else if (run->start != NULL)
			end_run(run, data);
	}
}

bool
us_json_mark(const char *data, size_t len, uint64 *words)
{
	const char *end = data + len;
	size_t		nblocks = len / BLOCK;
	char		last[BLOCK];
	OddRun		run = {NULL, true};

	if (mark_blocks == NULL)
		(void) us_json_mark_use(0);

	while (nblocks > 0)
	{
		int			n = (int) Min(nblocks, STRETCH);

		note_odd(&run, data, n, mark_blocks(data, n, words));
		data += n * BLOCK;
		words += n;
		nblocks -= n;
	}

	/* a run that comes so far ends with the text, not with the blanks */
	memset(last, ' ', BLOCK);
	/* behind a block, never null: NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
	memcpy(last, data, end - data);
	if (mark_blocks(last, 1, words) != 0 && run.start == NULL)
		run.start = data;
	if (run.start != NULL)
		end_run(&run, end);

	words[0] |= UINT64CONST(1) << (end - data);
	words[1] = 0;
	return run.valid;
}
