// SPDX-License-Identifier: MIT
/* What list says of a made-up host and a made-up guest, and what it makes of lies. */
#define _GNU_SOURCE
#include <sys/sysmacros.h>

#include "check.h"
#include "cli.h"
#include "columns.h"
#include "machine.h"

/* The helper's own: a signal ends what it does. */
volatile sig_atomic_t ivp_cli_signal;

static struct ivp_survey survey;

static void run(void)
{
	ivp_survey_free(&survey);
	if (ivp_survey_make(&survey, root, NULL, false, &ivp_cli_signal, NULL))
		abort();
}

static const char *cell(const char *column)
{
	static char text[IVP_COLUMN_TEXT];

	text[0] = '\0';
	if (survey.count)
		ivp_columns_find(column, strlen(column))->text(&(struct ivp_place){&survey, 0}, false, text);
	return text;
}

static void says(const char *column, const char *wanted, const char *what)
{
	const char *text = cell(column);

	check(!strcmp(text, wanted), what);
	if (strcmp(text, wanted))
		printf("# %s: %s\n", column, text);
}

static void named_host(const char *name)
{
	char words[256];

	well_host();
	snprintf(words, sizeof(words),
		 "qemu\n-name\n%s\n-object\nmemory-backend-file,id=m0,mem-path=" SHM ",size=1M,share=on\n" DEVICE_WORDS,
		 name);
	command_line(words);
	text("proc/100/comm", "qemu-system-x86\n");
}

static void opened(int pid, const char *name, const char *path)
{
	char link[64];

	snprintf(link, sizeof(link), "proc/%d/comm", pid);
	text(link, "%s\n", name);
	snprintf(link, sizeof(link), "proc/%d/fd/3", pid);
	directories(link);
	if (symlink(at(path), at(link)))
		abort();
}

static void check_host(void)
{
	struct stat st;

	named_host("guest=vm,,7,debug-threads=on");
	opened(200, "reader", "dev/shm/vm0");
	opened(300, "other", "etc/group");
	run();
	check(survey.count == 1, "a host has one file");
	says("path", at("dev/shm/vm0"), "which is this");
	says("vm", "vm,7(100)", "the virtual machine that has it");
	says("share", "on", "and shares it");
	says("mapped", "yes", "as it is");
	says("users", "reader(200)", "who has it open");
	says("lanes", "0/14", "its lanes");
	says("size", "1 MiB", "its size");
	says("slot", "", "it is no device");
	stat(at("dev/shm/vm0"), &st);
	text("proc/400/comm", "mapper\n");
	text("proc/400/maps", "7f0000000000-7f0000100000 rw-s 00000000 %02x:%02x %lu   /elsewhere\n", major(st.st_dev),
	     minor(st.st_dev), (unsigned long)st.st_ino);
	gone("proc/200");
	run();
	says("users", "mapper(400)", "who has it mapped, under another name and without a descriptor");
	text("proc/500/fd", "no directory\n");
	run();
	says("users", "mapper(400),?", "what cannot be seen is said");
}

static void check_machines(void)
{
	named_host("plain");
	run();
	says("vm", "plain(100)", "a name without a key");
	named_host("");
	run();
	says("vm", "(100)", "a machine without a name");
	text("dev/shm/vm1", "x");
	maps(SHM, inode_of("dev/shm/vm1"));
	run();
	says("mapped", "other", "another file that had this name");
	maps(SHM " (deleted)", inode_of("dev/shm/vm0"));
	gone("dev/shm/vm0");
	run();
	says("mapped", "deleted", "a file that was deleted");
	says("state", "not there", "which nobody else can open");
	says("size", "1 MiB", "and has the size that the machine says");
	bytes("dev/shm/vm0", "", 0, SIZE);
	run();
	says("state", "not formatted", "a machine's file that nobody laid out");
	says("auto", "no", "is not for auto");
}

static void check_guest(void)
{
	well_guest();
	opened(200, "reader", "dev/ivshmem0");
	run();
	check(survey.count == 1, "a guest has one device");
	says("path", at("dev/ivshmem0"), "with this node");
	says("slot", SLOT, "in this slot");
	says("driver", "ivshmem", "with this driver");
	says("cache", "write-back", "cached so");
	says("size", "1 MiB", "of this size");
	says("users", "reader(200)", "open by this one");
	says("vm", "", "and no virtual machine's");
	bare_guest();
	run();
	says("kind", "sysfs", "without a driver it is a file of sysfs");
	says("lanes", "", "in which nobody laid out lanes");
}

/* Anything but the superblock. */
static void lie(void)
{
	int from = open("/dev/urandom", O_RDONLY), fd = open(at("dev/shm/vm0"), O_WRONLY);
	static char noise[SIZE - 4096];

	if (from < 0 || fd < 0 || read(from, noise, sizeof(noise)) < 1 ||
	    pwrite(fd, noise, sizeof(noise), 4096) != (ssize_t)sizeof(noise))
		abort();
	close(from);
	close(fd);
}

static void check_liar(void)
{
	char text[IVP_COLUMN_TEXT];
	bool short_enough = true;
	uint64_t rate;

	named_host("vm");
	lie();
	run();
	for (size_t i = 0; i < ivp_column_count; i++) {
		text[0] = '\0';
		ivp_columns[i].text(&(struct ivp_place){&survey, 0}, false, text);
		short_enough &= strlen(text) < sizeof(text);
	}
	for (uint32_t i = 0; i < survey.second[0].info.lanes; i++)
		if (ivp_look_rate(&survey.first[0].lanes[i].client, &survey.second[0].lanes[i].server, 1, &rate))
			short_enough &= rate <= IVP_LOOK_RATE_MAX;
	check(short_enough && survey.second[0].info.lanes == 14, "random lanes are looked at all the same");
	says("lanes", "14/14", "nonsense is no free lane");
	says("alive", "dead", "and nobody lives in it");
}

static bool rates(uint64_t before, uint64_t now, uint64_t epoch, int64_t ms, uint64_t *rate)
{
	const struct ivp_end_info first = {.epoch = 1, .sent = before}, second = {.epoch = epoch, .sent = now};

	return ivp_look_rate(&first, &second, ms, rate);
}

static void check_rates(void)
{
	uint64_t rate;

	check(rates(1000, 3000, 1, 500, &rate) && rate == 4000, "bytes a second");
	check(rates(7, 7, 1, 500, &rate) && rate == 0, "none");
	check(rates(UINT64_MAX - 999, 1000, 1, 1000, &rate) && rate == 2000, "over the end of the numbers");
	check(rates(1000, 500, 2, 1000, &rate) && rate == 500, "a new epoch begins at 0");
	check(!rates(1000, 999, 1, 1000, &rate) && !rate, "what goes back is a lie");
	check(!rates(0, UINT64_MAX, 1, 1, &rate) && !rate, "and so is what no memory can");
	check(!rates(0, 1000, 1, 0, &rate) && !rates(0, 1000, 1, -5, &rate), "no time has no rate");
}

static void prints(const struct ivp_table_style *style, const char *wanted, const char *what)
{
	struct ivp_table table = {0};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ivp_table_column(&table, "NAME", 0);
	ivp_table_column(&table, "SIZE", IVP_TABLE_RIGHT);
	ivp_table_column(&table, "LAST", 0);
	ivp_table_cell(&table, "a longer\033one");
	ivp_table_cell(&table, "7");
	ivp_table_cell(&table, "");
	ivp_table_cell(&table, "b\303\244");
	ivp_table_cell(&table, "12345");
	ivp_table_cell(&table, "z");
	check(out && !ivp_table_print(&table, style, out) && !fclose(out) && !strcmp(text, wanted), what);
	ivp_table_free(&table);
	free(text);
}

int main(void)
{
	char command[PATH_MAX];

	if (!mkdtemp(top))
		abort();
	check_host();
	check_machines();
	check_guest();
	check_liar();
	check_rates();
	prints(&(struct ivp_table_style){0},
	       "NAME          SIZE LAST\na longer?one     7 -\nb\303\244           12345 z\n", "a table by hand");
	prints(&(struct ivp_table_style){.raw = true, .no_headings = true},
	       "a\\x20longer?one 7 -\nb\\xc3\\xa4 12345 z\n", "raw, and without headings");
	check(!ivp_columns_find("pat", 3) && !ivp_columns_find("", 0) && ivp_columns_find("pAth", 4),
	      "columns have whole names");
	ivp_survey_free(&survey);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command) || check_done();
}
