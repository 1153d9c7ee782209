// SPDX-License-Identifier: MIT
/* A guest that measures, and its host's end. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_vm.h"
#include "error.h"
#include "wait.h"

#if defined(IVP_STATIC) || !defined(__x86_64__)

int ivp_bench_vm(struct ivp_cli *cli, struct ivp_bench *bench, struct ivp_error *err)
{
	(void)cli;
	(void)bench;
	return ivp_fail(err, IVP_FAIL_USAGE, -ENOSYS,
			"--vm: this helper goes without: bench --listen on one side, bench on the other");
}

#else

#define SERVICE   "bench"
/* Until the guest's first process says that it is there. KVM may be there, too, and not get a guest to its first word. */
#define KVM_MS    15000
#define BOOT_MS   180000
/* Between two samples; the guest's own deadlines are shorter. */
#define SAMPLE_MS 120000

/* What comes from the guest, in lines, which also end at a return. */
struct reader {
	int fd;
	size_t len;
	char line[512];
};

/* 1: a line; 0: it is over; -ETIMEDOUT, -EINTR. */
static int next_line(struct reader *reader, int64_t deadline)
{
	struct pollfd poll_fd = {.fd = reader->fd, .events = POLLIN};

	reader->len = 0;
	for (;;) {
		int64_t left = deadline - ivp_now();
		ssize_t got;
		char c;

		if (ivp_cli_signal)
			return -EINTR;
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&poll_fd, 1, left < 500 ? (int)left : 500) <= 0)
			continue;
		got = read(reader->fd, &c, 1);
		if (got <= 0)
			return 0;
		if (c != '\n' && c != '\r' && reader->len + 1 < sizeof(reader->line)) {
			reader->line[reader->len++] = c;
			continue;
		}
		reader->line[reader->len] = '\0';
		if (reader->len)
			return 1;
	}
}

/* The last line of a file that has one. */
static void last_line(const char *path, char *text, size_t size)
{
	char line[256];
	FILE *file = fopen(path, "re");

	text[0] = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0])
			ivp_log_clean(text, size, line, '?');
	}
	if (file)
		fclose(file);
}

static int no_boot(const struct ivp_bench_vm *vm, int ret, struct ivp_error *err)
{
	char text[200];

	if (ret == -EINTR)
		return ivp_fail(err, IVP_FAIL_GENERAL, ret, "interrupted");
	last_line(vm->complaints, text, sizeof(text));
	if (!text[0])
		last_line(vm->console, text, sizeof(text));
	return ivp_fail(err, IVP_FAIL_GENERAL, ret ? ret : -ECHILD, "--vm: the guest %s with %s; last was: %s",
			ret ? "did not come up" : "ended before it was up", vm->image, text[0] ? text : "nothing");
}

/* Until its first process is there. */
static int boot(struct ivp_bench_vm *vm, const char *accel, int64_t limit_ms, struct ivp_error *err)
{
	struct reader reader = {0};
	int64_t deadline = ivp_deadline(limit_ms);
	int ret = ivp_bench_vm_start(vm, accel, err);

	if (ret)
		return ret;
	reader.fd = vm->said;
	do
		ret = next_line(&reader, deadline);
	while (ret > 0 && strcmp(reader.line, IVP_BENCH_VM_UP));
	if (ret > 0)
		return 0;
	ret = no_boot(vm, ret, err);
	ivp_bench_vm_stop(vm);
	return ret;
}

/* KVM where it gets a guest going, which only a guest can tell. */
static int boot_any(struct ivp_bench_vm *vm, struct ivp_error *err)
{
	int ret;

	if (vm->accel)
		return boot(vm, vm->accel, BOOT_MS, err);
	if (!access("/dev/kvm", R_OK | W_OK)) {
		ret = boot(vm, "kvm", KVM_MS, err);
		if (!ret || ret == -EINTR)
			return ret;
		ivp_log_notice("bench: no guest comes up under KVM here: it is emulated, and slow");
	}
	return boot(vm, "tcg", BOOT_MS, err);
}

/* In a child: it has nothing to say that the guest does not say, too. */
static void __attribute__((noreturn)) serve(const char *memory, pid_t parent)
{
	struct ivp_open_options open = {.flags = IVP_OPEN_SIGBUS, .side = IVP_SIDE_AUTO};
	struct ivp_lane_options options = {.service = SERVICE, .size = -1, .wait_ms = SAMPLE_MS};
	struct ivp_listener *listener;
	struct ivp_region *region;
	struct ivp_error err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent && !ivp_region_open(&region, memory, &open, &err) &&
	    !ivp_listen(&listener, region, &options, &err))
		ivp_bench_serve(listener, SAMPLE_MS, &err);
	_exit(0);
}

/* For the other ways. Both end with us, and by us. */
static pid_t serve_wire(int listener, pid_t parent)
{
	pid_t pid = listener < 0 ? 0 : fork();

	if (pid || listener < 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	ivp_bench_wire_serve(listener);
}

static void end_servers(const pid_t *pids, int count)
{
	for (int i = 0; i < count; i++) {
		if (pids[i] <= 0)
			continue;
		kill(pids[i], SIGKILL);
		while (waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
			;
	}
}

static void show_progress(const struct ivp_cli *cli, const char *line)
{
	if (!cli->quiet && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%s", line);
}

/* Until the guest's code, which is also ours. */
static int follow(const struct ivp_cli *cli, struct ivp_bench_vm *vm, struct ivp_error *err)
{
	struct reader reader = {.fd = vm->said};
	char said[400] = "";
	int ret;

	while ((ret = next_line(&reader, ivp_deadline(SAMPLE_MS))) > 0) {
		if (!strncmp(reader.line, IVP_BENCH_VM_CODE, strlen(IVP_BENCH_VM_CODE)))
			break;
		if (!strncmp(reader.line, "ivpipe: ", 8))
			ivp_log_clean(said, sizeof(said), reader.line + 8, '?');
		else
			show_progress(cli, reader.line);
	}
	show_progress(cli, "\033[K");
	if (ret == -EINTR)
		return ivp_fail(err, IVP_FAIL_GENERAL, ret, "interrupted");
	if (ret < 0)
		return ivp_fail(err, IVP_FAIL_GENERAL, ret, "--vm: the guest has said nothing for %d s",
				SAMPLE_MS / 1000);
	if (!ret)
		return ivp_fail(err, IVP_FAIL_PEER_GONE, -ECHILD, "--vm: QEMU ended before the guest had measured");
	ret = atoi(reader.line + strlen(IVP_BENCH_VM_CODE));
	return ret ? ivp_fail(err, IVP_FAIL_GENERAL, -EIO, "--vm: in the guest: %s", said[0] ? said : reader.line) : 0;
}

/* QEMU has written everything when it has ended: the guest switches itself off. */
static int await_end(struct ivp_bench_vm *vm, struct ivp_error *err)
{
	struct reader reader = {.fd = vm->said};
	int ret;

	do
		ret = next_line(&reader, ivp_deadline(SAMPLE_MS));
	while (ret > 0);
	return ret ? ivp_fail(err, IVP_FAIL_GENERAL, ret, "--vm: the guest does not switch itself off") : 0;
}

static int read_report(const struct ivp_bench_vm *vm, struct ivp_bench *bench, struct ivp_error *err)
{
	FILE *file = fopen(vm->out, "re");
	int ret;

	if (!file)
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "%s: %s", vm->out, strerror(errno));
	ret = ivp_bench_record_read(bench, file, err);
	fclose(file);
	bench->mode = "vm";
	bench->others = true;
	return ret;
}

static int measure(const struct ivp_cli *cli, struct ivp_bench_vm *vm, struct ivp_bench *bench, struct ivp_error *err)
{
	pid_t parent = getpid(), servers[3] = {fork()};
	int ret = 0;

	if (!servers[0])
		serve(vm->memory, parent);
	for (int i = 0; i < 2; i++)
		servers[i + 1] = serve_wire(vm->devices.listeners[i], parent);
	if (servers[0] < 0 || servers[1] < 0 || servers[2] < 0)
		ret = ivp_fail(err, IVP_FAIL_GENERAL, -errno, "fork: %s", strerror(errno));
	if (!ret)
		ret = follow(cli, vm, err);
	if (!ret)
		ret = await_end(vm, err);
	end_servers(servers, 3);
	return ret ? ret : read_report(vm, bench, err);
}

static void set_options(struct ivp_bench_vm *vm, const struct ivp_cli *cli, const struct ivp_bench *bench)
{
	char *at = vm->options, *end = vm->options + sizeof(vm->options);

	at += snprintf(at, (size_t)(end - at), "--rounds %" PRIu64 " --seed %" PRIu64 "%s --sizes ", bench->rounds,
		       bench->seed, cli->quick ? " --quick" : "");
	for (size_t i = 0; i < bench->size_count; i++)
		at += snprintf(at, (size_t)(end - at), "%s%" PRIu64, i ? "," : "", bench->sizes[i]);
}

int ivp_bench_vm(struct ivp_cli *cli, struct ivp_bench *bench, struct ivp_error *err)
{
	struct ivp_bench_vm vm = {
		.kernel = cli->kernel, .accel = cli->accel, .said = -1, .devices = {.listeners = {-1, -1}}};
	int ret = ivp_bench_vm_find(&vm, err);

	set_options(&vm, cli, bench);
	if (!ret)
		ret = ivp_bench_vm_make(&vm, err);
	if (!ret)
		ret = boot_any(&vm, err);
	if (!ret)
		ret = measure(cli, &vm, bench, err);
	ivp_bench_vm_stop(&vm);
	ivp_bench_vm_remove(&vm);
	return ret;
}

#endif
