// SPDX-License-Identifier: MIT
/* The first process of a guest that was made to be measured. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "bench_vm.h"

#define DEVICE_ID  "0x1af40x1110" /* vendor and device: ivshmem */
#define WORDS_MAX  32
#define REPORT_TTY "/dev/ttyS1"
#define SAID_TTY   "/dev/ttyS2"

/* A first process in a container is none of ours, whatever its environment has: the kernel was not told so. */
static bool is_guest(void)
{
	char line[4096];
	FILE *file;
	bool marked;

	if (getpid() != 1 || !getenv("IVPIPE_BENCH_GUEST"))
		return false;
	mount("proc", "/proc", "proc", 0, "");
	file = fopen("/proc/cmdline", "re");
	marked = file && fgets(line, sizeof(line), file) && strstr(line, IVP_BENCH_VM_MARK);
	if (file)
		fclose(file);
	return marked;
}

static void __attribute__((noreturn)) power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void open_line(const char *path, int as)
{
	int fd = open(path, O_RDWR | O_NOCTTY);
	struct termios tio;

	if (fd < 0 || tcgetattr(fd, &tio))
		power_off();
	cfmakeraw(&tio);
	if (tcsetattr(fd, TCSANOW, &tio) || dup2(fd, as) < 0)
		power_off();
	if (fd != as)
		close(fd);
}

static bool has_id(const char *directory)
{
	static const char *const files[] = {"vendor", "device"};
	char path[256], id[32] = "", word[16];

	for (int i = 0; i < 2; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		file = fopen(path, "re");
		if (file && fscanf(file, "%15s", word) == 1)
			strcat(id, word);
		if (file)
			fclose(file);
	}
	return !strcmp(id, DEVICE_ID);
}

/* Our memory is in the first of them. NULL: there is no such device. */
static const char *find_memory(void)
{
	static char path[256];
	const char *found = NULL;
	glob_t all;

	if (glob("/sys/bus/pci/devices/*", 0, NULL, &all))
		return NULL;
	for (size_t i = 0; i < all.gl_pathc && !found; i++)
		if (has_id(all.gl_pathv[i]))
			found = all.gl_pathv[i];
	if (found)
		snprintf(path, sizeof(path), "%s/resource2_wc", found);
	globfree(&all);
	return found ? path : NULL;
}

/* Whatever the kernel was given for us comes after our own. */
static void set_arguments(int *argc, char ***argv, const char *memory)
{
	static char *words[WORDS_MAX + 1];
	int count = 0;

	words[count++] = "ivpipe";
	words[count++] = "bench";
	words[count++] = "--region";
	words[count++] = strdup(memory);
	for (int i = 1; i < *argc && count < WORDS_MAX; i++)
		words[count++] = (*argv)[i];
	*argc = count;
	*argv = words;
}

/* Nobody else's child comes to its end here. */
static void __attribute__((noreturn)) see_to_the_end(pid_t pid)
{
	int status = 0;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = 1 << 8;
	tcdrain(STDOUT_FILENO);
	fprintf(stderr, "\n" IVP_BENCH_VM_CODE "%d\n",
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	tcdrain(STDERR_FILENO);
	power_off();
}

static struct ivp_bench_load load;
static bool loaded;

const struct ivp_bench_load *ivp_bench_guest_load(void)
{
	return loaded ? &load : NULL;
}

void ivp_bench_guest(int *argc, char ***argv)
{
	const char *memory;
	pid_t pid;

	if (!is_guest())
		return;
	mount("sysfs", "/sys", "sysfs", 0, "");
	mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	open_line(REPORT_TTY, STDOUT_FILENO);
	open_line(SAID_TTY, STDERR_FILENO);
	fputs(IVP_BENCH_VM_UP "\n", stderr);
	memory = find_memory();
	if (!memory)
		fputs("ivpipe: bench: the guest has no ivshmem device\n", stderr);
	else
		ivp_bench_load(&load);
	loaded = true;
	pid = memory ? fork() : -1;
	if (pid)
		see_to_the_end(pid);
	set_arguments(argc, argv, memory);
}
