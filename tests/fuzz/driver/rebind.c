// SPDX-License-Identifier: GPL-2.0-only
/* Takes the devices from the driver and gives them back, with other parameters each time, while programs run on them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define DRIVER     "/sys/bus/pci/drivers/ivshmem"
#define PARAMETERS "/sys/module/ivshmem/parameters"
#define MOST       8

static char slots[MOST][32];
static u32 count;

static bool put(const char *directory, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return good;
}

static bool bound(u32 n)
{
	char path[128];

	snprintf(path, sizeof(path), DRIVER "/%s", slots[n]);
	return !access(path, F_OK);
}

void rebind_start(void)
{
	DIR *dir = opendir(DRIVER);
	const struct dirent *entry;

	while (dir && count < MOST && (entry = readdir(dir)))
		if (strchr(entry->d_name, ':'))
			snprintf(slots[count++], sizeof(slots[0]), "%.31s", entry->d_name);
	if (!count)
		bail("no device is bound");
	closedir(dir);
}

/* No more than the clock can tell: the programs are to be caught anywhere. */
static void linger(void)
{
	struct timespec moment = {0, (long)values_below(20000000)};

	nanosleep(&moment, NULL);
}

static void choose_parameters(void)
{
	static const char *const waits[] = {"0", "5", "50", "300"};

	put(PARAMETERS, "revoke_wait_ms", waits[values_below(4)]);
	put(PARAMETERS, "pages", values_below(3) ? "1" : "0");
	put(PARAMETERS, "writeback", values_below(2) ? "1" : "0");
}

/* A range of which a page is still pinned is refused; it will do another time. */
void rebind_run(void)
{
	coverage_open();
	coverage_begin();
	while (!out_of_time()) {
		u32 n = values_below(count);

		choose_parameters();
		if (bound(n))
			put(DRIVER, "unbind", slots[n]);
		linger();
		if (put(DRIVER, "bind", slots[n]))
			atomic_fetch_add(&report->cycles, 1);
		else
			atomic_fetch_add(&report->binds_refused, 1);
		coverage_collect();
		linger();
	}
}

/* Within half a minute: the driver looks once a second whether a page is still pinned. */
bool rebind_all(void)
{
	struct timespec moment = {0, 100000000};
	u32 good = 0;

	put(PARAMETERS, "pages", "1");
	for (u32 tries = 0; good < count && tries < 300; tries++) {
		good = 0;
		for (u32 n = 0; n < count; n++)
			good += bound(n) || put(DRIVER, "bind", slots[n]);
		if (good < count)
			nanosleep(&moment, NULL);
	}
	return good == count;
}
