/*-------------------------------------------------------------------------
 * extension/cron_schedule.c
 *    the schedule of a cron job: which minutes it means
 *
 * Behind feed_status, which says when pg_cron runs a feed next.  Pure C.
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "extension/cron_schedule.h"

#define MAX_FIELD_LENGTH	128

typedef struct Field
{
	int			low;
	int			high;
	const char *const *names;	/* of low, low + 1 ...; NULL = none */
} Field;

static const char *const month_names[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL
};
static const char *const weekday_names[] = {
	"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL
};

/* minute, hour, day, month, weekday; Sunday is 0 or 7 */
static const Field fields[] = {
	{0, 59, NULL}, {0, 23, NULL}, {1, 31, NULL}, {1, 12, month_names}, {0, 7, weekday_names}
};

#define FIELD_COUNT ((int) (sizeof(fields) / sizeof(fields[0])))

static const char *const nicknames[][2] = {
	{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"}
};

/* a number or a name; moves on; -1 = neither */
static int
take_value(const char **at, const Field *field)
{
	char	   *end;
	long		value;

	if (isdigit((unsigned char) **at))
	{
		value = strtol(*at, &end, 10);
		*at = end;
		return value < field->low || value > field->high ? -1 : (int) value;
	}
	for (int i = 0; field->names != NULL && field->names[i] != NULL; i++)
	{
		if (strncasecmp(*at, field->names[i], 3) == 0)
		{
			*at += 3;
			return field->low + i;
		}
	}
	return -1;
}

/* "*", "n", "n-m", each with "/step" behind */
static bool
take_range(const char **at, const Field *field, uint64_t *bits)
{
	int			first = field->low;
	int			last = field->high;
	int			step = 1;

	if (**at == '*')
		(*at)++;
	else
	{
		first = last = take_value(at, field);
		if (first < 0)
			return false;
		if (**at == '-')
		{
			(*at)++;
			last = take_value(at, field);
			if (last < first)
				return false;
		}
	}
	if (**at == '/')
	{
		(*at)++;
		step = isdigit((unsigned char) **at) ? atoi(*at) : 0;
		*at += strspn(*at, "0123456789");
		if (step < 1 || step > field->high)
			return false;
	}
	for (int value = first; value <= last; value += step)
		*bits |= UINT64_C(1) << value;
	return true;
}

/* one field, up to white space */
static bool
take_field(const char **at, const Field *field, uint64_t *bits)
{
	*bits = 0;
	for (;;)
	{
		if (!take_range(at, field, bits))
			return false;
		if (**at != ',')
			break;
		(*at)++;
	}
	return **at == '\0' || isspace((unsigned char) **at);
}

static const char *
skip_space(const char *at)
{
	while (isspace((unsigned char) *at))
		at++;
	return at;
}

bool
us_cron_parse(const char *text, UsCronSchedule *schedule)
{
	uint64_t	bits[FIELD_COUNT];
	bool		any[FIELD_COUNT];

	text = skip_space(text);
	for (size_t i = 0; i < sizeof(nicknames) / sizeof(nicknames[0]); i++)
		if (strcasecmp(text, nicknames[i][0]) == 0)
			text = nicknames[i][1];
	for (int i = 0; i < FIELD_COUNT; i++)
	{
		text = skip_space(text);
		any[i] = *text == '*';
		if (!take_field(&text, &fields[i], &bits[i]))
			return false;
	}
	if (*skip_space(text) != '\0')
		return false;

	schedule->minutes = bits[0];
	schedule->hours = (uint32_t) bits[1];
	schedule->days = (uint32_t) bits[2];
	schedule->months = (uint32_t) bits[3];
	schedule->weekdays = (uint32_t) ((bits[4] | bits[4] >> 7) & 0x7f);
	schedule->any_day = any[2];
	schedule->any_weekday = any[4];
	return true;
}

bool
us_cron_has_day(const UsCronSchedule *schedule, int month, int day, int weekday)
{
	bool		has_day = (schedule->days >> day & 1) != 0;
	bool		has_weekday = (schedule->weekdays >> weekday & 1) != 0;

	if ((schedule->months >> month & 1) == 0)
		return false;
	return schedule->any_day || schedule->any_weekday ?
		has_day && has_weekday : has_day || has_weekday;
}

bool
us_cron_has_minute(const UsCronSchedule *schedule, int hour, int minute)
{
	return (schedule->hours >> hour & 1) != 0 && (schedule->minutes >> minute & 1) != 0;
}
