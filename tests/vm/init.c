// SPDX-License-Identifier: MIT
/*
 * PID 1 of a test guest: runs commands for the host and passes a verdict on the kernel.
 *
 *   /dev/ttyS0  console, a log
 *   /dev/ttyS1  line protocol with the host (below)
 *   /dev/ttyS2  the verdict, one line, which QEMU writes to a file
 *
 * From the host:                                  To the host:
 *   start ID UID GID EXTRA LEN \n LEN bytes         hello
 *   kill ID SIGNAL                                  go ID            the command was started
 *   finish FAILED                                   out ID LEN \n LEN bytes
 *   poweroff                                        end ID STATUS    exit code, or 128 + signal
 *                                                   bye              the verdict is written
 *
 * A command is run by /bin/sh -c in its own session, with both outputs in one pipe. The kernel log is read record by
 * record as it grows, so nothing that scrolls out of the ring escapes; a record that says the kernel is unwell, a taint
 * beyond "an out-of-tree module was loaded", or a failed check of the host makes the verdict a failure.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define JOBS      64
#define LINE_SIZE 256
#define TAINT_OK  ((1ul << 12) | (1ul << 13)) /* out-of-tree, unsigned */

struct job {
	pid_t pid; /* 0: free */
	unsigned int id;
	int out;
};

static struct job jobs[JOBS];
static int control, kmsg;
static unsigned int bad_records;
static char first_bad[512];

static const char *const unwell[] = {
	"BUG:",
	"WARNING:",
	"KASAN",
	"UBSAN:",
	"possible circular",
	"sleeping function",
	"INFO: task ",
	"INFO: rcu",
	"Oops",
	"general protection",
	"Call Trace",
	"page allocation failure",
	"Bad page",
	"rss-counter",
	"suspicious RCU",
	"soft lockup",
	"hard LOCKUP",
	"refcount_t:",
	"suspected memory leaks",
	"Conflicting mapping",
};

static void die(const char *what)
{
	fprintf(stderr, "init: %s: %m\n", what);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void put(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("write");
		p += n;
		len -= (size_t)n;
	}
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	put(control, line, (size_t)n);
}

static void get(void *data, size_t len)
{
	for (char *p = data; len;) {
		ssize_t n = read(control, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("read");
		p += n;
		len -= (size_t)n;
	}
}

static int open_tty(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios tio;

	if (fd < 0 || tcgetattr(fd, &tio))
		die(path);
	cfmakeraw(&tio);
	cfsetspeed(&tio, B115200);
	if (tcsetattr(fd, TCSANOW, &tio))
		die(path);
	return fd;
}

static void set_up_tree(void)
{
	static const char *const fs[][3] = {
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"devtmpfs", "/dev", "mode=0755"},
		{"tmpfs", "/tmp", "mode=1777"},
		{"tmpfs", "/run", "mode=0755"},
		{"debugfs", "/sys/kernel/debug", ""},
		{"tmpfs", "/dev/shm", "mode=1777"},
	};

	for (size_t i = 0; i < sizeof(fs) / sizeof(fs[0]); i++) {
		mkdir(fs[i][1], 0755);
		if (mount(fs[i][0], fs[i][1], fs[i][0], 0, fs[i][2]))
			die(fs[i][1]);
	}
}

static void set_up_loopback(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("lo");
	close(fd);
}

/* One record a read; EPIPE says that records were overwritten before we saw them. */
static void read_kernel_log(void)
{
	char record[8192];
	ssize_t n;

	while ((n = read(kmsg, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			strcpy(record, ";kernel log overwritten before it was read: BUG:");
		else
			record[n] = 0;
		char *text = strchr(record, ';');

		for (size_t i = 0; text && i < sizeof(unwell) / sizeof(unwell[0]); i++) {
			if (!strstr(text, unwell[i]))
				continue;
			if (!bad_records++)
				snprintf(first_bad, sizeof(first_bad), "%.*s", (int)strcspn(text + 1, "\n"), text + 1);
			break;
		}
	}
}

static struct job *find(unsigned int id)
{
	for (struct job *j = jobs; j < jobs + JOBS; j++)
		if (j->pid && j->id == id)
			return j;
	return NULL;
}

__attribute__((noreturn)) static void run(char *command, unsigned int uid, unsigned int gid, unsigned int extra)
{
	char *argv[] = {"sh", "-c", command, NULL};
	gid_t groups[2] = {gid, extra};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (chdir("/tmp") || (uid && (setgroups(2, groups) || setgid(gid) || setuid(uid))))
		_exit(126);
	setenv("HOME", "/tmp", 1);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	execv("/bin/sh", argv);
	_exit(127);
}

static void start(const char *line)
{
	unsigned int id, uid, gid, extra, len;
	struct job *j = jobs;
	int p[2];

	if (sscanf(line, "start %u %u %u %u %u", &id, &uid, &gid, &extra, &len) != 5 || len > 1 << 20)
		die("a bad request");
	char *command = calloc(1, len + 1);

	while (j < jobs + JOBS && j->pid)
		j++;
	if (!command || j == jobs + JOBS || pipe2(p, O_CLOEXEC))
		die("start");
	get(command, len);
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		if (dup2(p[1], 1) < 0 || dup2(p[1], 2) < 0)
			_exit(126);
		run(command, uid, gid, extra);
	}
	close(p[1]);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	*j = (struct job){.pid = pid, .id = id, .out = p[0]};
	free(command);
	say("go %u\n", id);
}

/* Returns false when there is nothing to read now. */
static int forward(struct job *j)
{
	char data[4096];
	ssize_t n = read(j->out, data, sizeof(data));

	if (n <= 0) {
		if (n == 0) {
			close(j->out);
			j->out = -1;
		}
		return 0;
	}
	say("out %u %zd\n", j->id, n);
	put(control, data, (size_t)n);
	return 1;
}

static void reap(int sigfd)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(sigfd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (struct job *j = jobs; j < jobs + JOBS; j++) {
			if (j->pid != pid)
				continue;
			while (j->out >= 0 && forward(j))
				;
			if (j->out >= 0)
				close(j->out);
			say("end %u %d\n", j->id, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
			j->pid = 0;
		}
	}
}

static unsigned long taint(void)
{
	unsigned long flags = ~0ul;
	FILE *f = fopen("/proc/sys/kernel/tainted", "re");

	if (f && fscanf(f, "%lu", &flags) != 1)
		flags = ~0ul;
	if (f)
		fclose(f);
	return flags;
}

/* A kernel with kmemleak tells what nobody points to any more; twice, since a first look may be wrong. */
static unsigned int leaks(void)
{
	int fd = open("/sys/kernel/debug/kmemleak", O_RDWR | O_CLOEXEC);
	unsigned int count = 0;
	char text[4096];
	ssize_t n;

	if (fd < 0)
		return 0;
	for (int i = 0; i < 2; i++)
		if (write(fd, "scan", 4) != 4)
			die("kmemleak");
	while ((n = read(fd, text, sizeof(text))) > 0) {
		count++;
		put(2, text, (size_t)n);
	}
	close(fd);
	return count;
}

static void finish(unsigned int failed)
{
	unsigned long flags = taint() & ~TAINT_OK;
	unsigned int leaked = leaks();
	int fd = open_tty("/dev/ttyS2");
	char text[1024];

	read_kernel_log();
	bool good = !failed && !bad_records && !flags && !leaked;
	int n = snprintf(text, sizeof(text), "%s: failed checks %u, bad kernel messages %u, taint %#lx, leaks %u%s%s\n",
			 good ? "PASS" : "FAIL", failed, bad_records, flags, leaked, bad_records ? ", first: " : "",
			 first_bad);

	put(fd, text, (size_t)n);
	tcdrain(fd);
	close(fd);
	say("bye\n");
	tcdrain(control);
}

static void serve_line(char *line)
{
	unsigned int a;
	int b;
	struct job *j;

	if (!strncmp(line, "start ", 6)) {
		start(line);
	} else if (sscanf(line, "kill %u %d", &a, &b) == 2) {
		j = find(a);
		if (j)
			kill(-j->pid, b);
	} else if (sscanf(line, "finish %u", &a) == 1) {
		finish(a);
	} else if (!strcmp(line, "poweroff")) {
		reboot(RB_POWER_OFF);
	} else {
		die(line);
	}
}

static void serve_control(void)
{
	static char line[LINE_SIZE];
	static size_t len;
	char c;

	get(&c, 1);
	if (c != '\n' && len < sizeof(line) - 1) {
		line[len++] = c;
		return;
	}
	line[len] = 0;
	len = 0;
	serve_line(line);
}

int main(void)
{
	struct pollfd fds[3 + JOBS];
	sigset_t child;

	set_up_tree();
	set_up_loopback();
	setenv("HOME", "/tmp", 1);
	sethostname("guest", 5);
	control = open_tty("/dev/ttyS1");
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	int sigfd = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
	int null = open("/dev/null", O_RDWR);

	if (kmsg < 0 || sigfd < 0 || null < 0 || dup2(null, 0) < 0)
		die("set up");
	say("hello\n");
	for (;;) {
		fds[0] = (struct pollfd){.fd = control, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = sigfd, .events = POLLIN};
		fds[2] = (struct pollfd){.fd = kmsg, .events = POLLIN};
		for (int i = 0; i < JOBS; i++)
			fds[3 + i] = (struct pollfd){.fd = jobs[i].pid ? jobs[i].out : -1, .events = POLLIN};
		if (poll(fds, 3 + JOBS, -1) < 0 && errno != EINTR)
			die("poll");
		if (fds[2].revents)
			read_kernel_log();
		for (int i = 0; i < JOBS; i++)
			if (fds[3 + i].revents)
				forward(&jobs[i]);
		if (fds[1].revents & POLLIN)
			reap(sigfd);
		if (fds[0].revents)
			serve_control();
	}
}
