/*-------------------------------------------------------------------------
 * test/unit/feed_test.c
 *    which addresses an API may have, and which minutes a schedule means
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "extension/cron_schedule.h"
#include "extension/http_address.h"
#include "test/unit/tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* the first and last of each block that is not public, and what stands beside it */
static const struct
{
	const char *address;
	bool		is_public;
}			addresses[] =
{
	{"0.0.0.0", false}, {"0.255.255.255", false}, {"1.0.0.0", true},
	{"9.255.255.255", true}, {"10.0.0.0", false}, {"10.255.255.255", false}, {"11.0.0.0", true},
	{"100.63.255.255", true}, {"100.64.0.0", false}, {"100.127.255.255", false}, {"100.128.0.0", true},
	{"126.255.255.255", true}, {"127.0.0.1", false}, {"127.255.255.255", false}, {"128.0.0.0", true},
	{"169.253.255.255", true}, {"169.254.169.254", false}, {"169.255.0.0", true},
	{"172.15.255.255", true}, {"172.16.0.0", false}, {"172.31.255.255", false}, {"172.32.0.0", true},
	{"192.0.0.1", false}, {"192.0.1.0", true}, {"192.0.2.1", false}, {"192.88.99.1", false},
	{"192.167.255.255", true}, {"192.168.0.0", false}, {"192.168.255.255", false}, {"192.169.0.0", true},
	{"198.17.255.255", true}, {"198.18.0.0", false}, {"198.19.255.255", false}, {"198.20.0.0", true},
	{"198.51.100.7", false}, {"203.0.113.7", false}, {"203.0.114.0", true},
	{"223.255.255.255", true}, {"224.0.0.0", false}, {"240.0.0.0", false}, {"255.255.255.255", false},
	{"93.184.216.34", true},
	{"::", false}, {"::1", false}, {"::7f00:1", false},
	{"::ffff:127.0.0.1", false}, {"::ffff:10.1.2.3", false}, {"::ffff:93.184.216.34", true},
	{"64:ff9b::127.0.0.1", false}, {"64:ff9b::93.184.216.34", true}, {"64:ff9b:1::1", false},
	{"100::1", false},
	{"1fff:ffff::1", false}, {"2000::1", true}, {"2001::1", false}, {"2001:1ff:ffff::1", false},
	{"2001:200::1", true}, {"2001:db8::1", false}, {"2001:db9::1", true},
	{"2002:7f00:1::1", false}, {"2002:c0a8:101::1", false}, {"2002:5db8:d822::1", true},
	{"2606:4700::1111", true}, {"3fff::1", false}, {"3fff:fff:ffff::1", false}, {"3fff:1000::1", true},
	{"4000::1", false}, {"fc00::1", false}, {"fdff::1", false}, {"fe80::1", false}, {"febf::1", false},
	{"fec0::1", false}, {"ff02::1", false},
};

static void
test_addresses(void)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};

	for (size_t i = 0; i < COUNT(addresses); i++)
	{
		struct sockaddr_in in4 = {.sin_family = AF_INET};
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
		const struct sockaddr *address = (const struct sockaddr *) &in4;

		if (inet_pton(AF_INET, addresses[i].address, &in4.sin_addr) != 1)
		{
			address = (const struct sockaddr *) &in6;
			if (inet_pton(AF_INET6, addresses[i].address, &in6.sin6_addr) != 1)
			{
				tap_ok(false, "%s is no address", addresses[i].address);
				continue;
			}
		}
		tap_is(us_http_address_is_public(address), addresses[i].is_public, "%s is %spublic",
			   addresses[i].address, addresses[i].is_public ? "" : "not ");
	}
	tap_ok(!us_http_address_is_public((const struct sockaddr *) &local),
		   "a socket of the file system is not public");
}

/* a schedule at a time: month, day, weekday, hour, minute; -1 = it does not parse */
static const struct
{
	const char *schedule;
	int			month;
	int			day;
	int			weekday;
	int			hour;
	int			minute;
	int			expected;
}			times[] =
{
	{"* * * * *", 12, 31, 0, 23, 59, 1},
	{"  */5\t*  * * * ", 1, 1, 3, 0, 10, 1}, {"*/5 * * * *", 1, 1, 3, 0, 11, 0},
	{"1-9/4 * * * *", 1, 1, 3, 0, 5, 1}, {"1-9/4 * * * *", 1, 1, 3, 0, 6, 0},
	{"0,30 8-10 * * *", 1, 1, 3, 9, 30, 1}, {"0,30 8-10 * * *", 1, 1, 3, 11, 30, 0},
	{"0 0 1 jan *", 1, 1, 3, 0, 0, 1}, {"0 0 1 feb-DEC *", 1, 1, 3, 0, 0, 0},
	{"0 0 * * 7", 1, 1, 0, 0, 0, 1}, {"0 0 * * sun", 1, 1, 0, 0, 0, 1}, {"0 0 * * 5-7", 1, 1, 0, 0, 0, 1},
	{"0 0 * * 1-5", 1, 1, 0, 0, 0, 0},
	{"0 0 13 * 5", 1, 13, 2, 0, 0, 1}, {"0 0 13 * 5", 1, 14, 5, 0, 0, 1}, {"0 0 13 * 5", 1, 14, 2, 0, 0, 0},
	{"0 0 */2 * 5", 1, 3, 5, 0, 0, 1}, {"0 0 */2 * 5", 1, 3, 4, 0, 0, 0},
	{"@hourly", 1, 1, 3, 7, 0, 1}, {"@daily", 1, 1, 3, 7, 0, 0}, {"@Weekly", 1, 1, 0, 0, 0, 1},
	{"", 1, 1, 3, 0, 0, -1}, {"* * * *", 1, 1, 3, 0, 0, -1}, {"* * * * * *", 1, 1, 3, 0, 0, -1},
	{"60 * * * *", 1, 1, 3, 0, 0, -1}, {"* 24 * * *", 1, 1, 3, 0, 0, -1}, {"* * 0 * *", 1, 1, 3, 0, 0, -1},
	{"* * * 13 *", 1, 1, 3, 0, 0, -1}, {"* * * * 8", 1, 1, 3, 0, 0, -1}, {"9-1 * * * *", 1, 1, 3, 0, 0, -1},
	{"*/0 * * * *", 1, 1, 3, 0, 0, -1}, {"*/x * * * *", 1, 1, 3, 0, 0, -1}, {"1, * * * *", 1, 1, 3, 0, 0, -1},
	{"99999999999999999999 * * * *", 1, 1, 3, 0, 0, -1}, {"-1 * * * *", 1, 1, 3, 0, 0, -1},
	{"5 seconds", 1, 1, 3, 0, 0, -1}, {"0 0 $ * *", 1, 1, 3, 0, 0, -1}, {"@reboot", 1, 1, 3, 0, 0, -1},
};

static void
test_times(void)
{
	for (size_t i = 0; i < COUNT(times); i++)
	{
		UsCronSchedule schedule;
		int			got = -1;

		if (us_cron_parse(times[i].schedule, &schedule))
			got = us_cron_has_day(&schedule, times[i].month, times[i].day, times[i].weekday) &&
				us_cron_has_minute(&schedule, times[i].hour, times[i].minute);
		tap_is(got, times[i].expected, "\"%s\" on %d/%d, weekday %d, at %02d:%02d",
			   times[i].schedule, times[i].month, times[i].day, times[i].weekday,
			   times[i].hour, times[i].minute);
	}
}

int
main(void)
{
	test_addresses();
	test_times();
	return tap_done();
}
