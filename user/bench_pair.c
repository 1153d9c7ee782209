// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_pair.h"
#include "error.h"
#include "wait.h"

/* Looks at the other's word before sleeping; some 100 us. */
#define LOOKS 4096

struct child {
	pid_t pid;
	int life; /* readable when it has ended */
};

int64_t ivp_bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

void ivp_bench_pin(bool second)
{
	cpu_set_t all, one;
	int seen = 0;

	if (sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return;
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && seen++ == second)
			CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

void ivp_bench_pair_meet(struct ivp_bench_pair *pair, bool second)
{
	static const struct timespec breath = {.tv_nsec = 100 * 1000 * 1000};
	uint32_t turn = __atomic_add_fetch(&pair->turns[second], 1, __ATOMIC_SEQ_CST), seen;
	uint32_t *theirs = &pair->turns[!second];

	syscall(SYS_futex, &pair->turns[second], FUTEX_WAKE, 1, NULL, NULL, 0);
	for (int looks = 0; looks < LOOKS; looks++)
		if ((int32_t)(__atomic_load_n(theirs, __ATOMIC_ACQUIRE) - turn) >= 0)
			return;
	while ((int32_t)((seen = __atomic_load_n(theirs, __ATOMIC_SEQ_CST)) - turn) < 0)
		syscall(SYS_futex, theirs, FUTEX_WAIT, seen, &breath, NULL, 0);
}

static void __attribute__((noreturn))
be_child(ivp_bench_end *end, void *arg, struct ivp_bench_pair *pair, bool second, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	ivp_bench_pin(second);
	_exit(end(arg, pair, second, &pair->errors[second]) ? 1 : 0);
}

static int start(struct child *child, ivp_bench_end *end, void *arg, struct ivp_bench_pair *pair, bool second,
		 struct ivp_error *err)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "pipe: %s", strerror(errno));
	child->pid = fork();
	if (!child->pid)
		be_child(end, arg, pair, second, parent);
	close(ends[1]);
	child->life = ends[0];
	if (child->pid > 0)
		return 0;
	return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "fork: %s", strerror(errno));
}

/* It has ended, or will at once. */
static int reap(struct child *child, const struct ivp_error *said, struct ivp_error *err)
{
	int status = 0;
	pid_t pid;

	do
		pid = waitpid(child->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	child->pid = 0;
	if (pid > 0 && WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (said->number < 0) {
		*err = *said;
		return said->number;
	}
	return ivp_fail(err, IVP_FAIL_GENERAL, -ECHILD, "a measuring process ended by signal %d", WTERMSIG(status));
}

/* Both to their ends, the first failure, or the deadline. */
static int await(struct child *children, const struct ivp_bench_pair *pair, int64_t limit_ms,
		 const volatile sig_atomic_t *cancel, struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(limit_ms), left;
	int ret = 0, i;

	while (!ret && (children[0].pid || children[1].pid)) {
		struct pollfd fds[2] = {{.fd = children[0].pid ? children[0].life : -1, .events = POLLIN},
					{.fd = children[1].pid ? children[1].life : -1, .events = POLLIN}};

		left = deadline - ivp_now();
		if (cancel && *cancel)
			return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
		if (left <= 0)
			return ivp_fail(err, IVP_FAIL_GENERAL, -ETIMEDOUT, "a sample took longer than %d s",
					(int)(limit_ms / 1000));
		/* A signal may come just before. */
		if (poll(fds, 2, left < 500 ? (int)left : 500) <= 0)
			continue;
		for (i = 0; i < 2 && !ret; i++)
			if (fds[i].revents)
				ret = reap(&children[i], &pair->errors[i], err);
	}
	return ret;
}

static void stop(struct child *children)
{
	struct ivp_error ignored = {0}, none = {0};

	for (int i = 0; i < 2; i++) {
		if (children[i].pid > 0) {
			kill(children[i].pid, SIGKILL);
			reap(&children[i], &none, &ignored);
		}
		if (children[i].life >= 0)
			close(children[i].life);
	}
}

int ivp_bench_pair_run(ivp_bench_end *end, void *arg, int64_t limit_ms, const volatile sig_atomic_t *cancel,
		       double values[2], struct ivp_error *err)
{
	struct child children[2] = {{.life = -1}, {.life = -1}};
	struct ivp_bench_pair *pair =
		mmap(NULL, sizeof(*pair), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ret;

	if (pair == MAP_FAILED)
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "memory: %s", strerror(errno));
	ret = start(&children[0], end, arg, pair, false, err);
	if (!ret)
		ret = start(&children[1], end, arg, pair, true, err);
	if (!ret)
		ret = await(children, pair, limit_ms, cancel, err);
	stop(children);
	memcpy(values, pair->values, sizeof(pair->values));
	munmap(pair, sizeof(*pair));
	return ret;
}
