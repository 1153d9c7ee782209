// SPDX-License-Identifier: MIT
/* What a process may no more do, each tried by a child of its own; and what it still may. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "../../user/sandbox.c"
#include "check.h"

static char dir[40], inside[64], outside[64];

/* The exit code of a child that does this, or 128 and the signal that ended it. */
static int child(int (*body)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		_exit(body());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define KILLED (128 + SIGSYS)
#define NONE   77

static int enclose(enum ivp_sandbox_calls calls)
{
	static const struct ivp_sandbox_files files;
	int ret = ivp_sandbox_files(&files);

	if (ret && ret != -EOPNOTSUPP)
		_exit(99);
	ret = ivp_sandbox_calls(calls);
	if (ret == -EOPNOTSUPP)
		_exit(NONE);
	return ret;
}

/* ---- files ---- */

static int enclose_files(void)
{
	const struct ivp_sandbox_files files = {.sockets = inside, .port = "/dev/null"};

	return ivp_sandbox_files(&files);
}

static bool refused(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd < 0 && errno == EACCES;
}

static int files_are_refused(void)
{
	int ret = enclose_files();

	if (ret)
		return ret == -EOPNOTSUPP ? NONE : 1;
	if (!refused("/etc/passwd", O_RDONLY) || !refused("/proc/self/maps", O_RDONLY) ||
	    !refused(dir, O_RDONLY | O_DIRECTORY) || !refused("/dev/zero", O_RDWR))
		return 2;
	if (!refused("new", O_CREAT | O_WRONLY))
		return 3;
	return unlink(outside) && errno == EACCES ? 0 : 4;
}

static int what_is_named_is_not(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, ret = enclose_files();

	if (ret)
		return ret == -EOPNOTSUPP ? NONE : 1;
	if (open("/dev/null", O_RDWR) < 0)
		return 2;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", inside);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || unlink(address.sun_path))
		return 3;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", dir);
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) && errno == EACCES ? 0 : 4;
}

static int a_place_that_is_not_there(void)
{
	const struct ivp_sandbox_files files = {.sockets = "/no/such/place"};
	int ret = ivp_sandbox_files(&files);

	return ret == -EOPNOTSUPP ? NONE : ret == -ENOENT ? 0 : 1;
}

static int nobody_looks_in(void)
{
	struct rlimit core;
	int ret = enclose_files();

	/* Without Landlock as well, but not in a build without a sandbox. */
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0)
		return ret == -EOPNOTSUPP ? NONE : 1;
	getrlimit(RLIMIT_CORE, &core);
	return prctl(PR_GET_DUMPABLE) == 0 && core.rlim_cur == 0 ? 0 : 2;
}

/* ---- system calls ---- */

#define FORBIDDEN(name, calls, what)                                                                                   \
	static int name(void)                                                                                          \
	{                                                                                                              \
		enclose(calls);                                                                                        \
		what;                                                                                                  \
		return 0;                                                                                              \
	}

FORBIDDEN(opening, IVP_SANDBOX_STREAM, open("/dev/null", O_RDONLY))
FORBIDDEN(a_socket, IVP_SANDBOX_STREAM, socket(AF_UNIX, SOCK_STREAM, 0))
FORBIDDEN(executing, IVP_SANDBOX_MEET, execl("/bin/true", "true", NULL))
FORBIDDEN(forking, IVP_SANDBOX_MEET, fork())
FORBIDDEN(tracing, IVP_SANDBOX_MEET, ptrace(PTRACE_TRACEME, 0, 0, 0))
FORBIDDEN(killing, IVP_SANDBOX_MEET, kill(getppid(), 0))
FORBIDDEN(renaming, IVP_SANDBOX_MEET, rename("a", "b"))
FORBIDDEN(mounting, IVP_SANDBOX_MEET, syscall(SYS_mount, "a", "b", "c", 0, NULL))
FORBIDDEN(other_ioctls, IVP_SANDBOX_MEET, ioctl(0, TIOCSTI, "x"))
FORBIDDEN(executable_memory, IVP_SANDBOX_MEET,
	  mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
FORBIDDEN(memory_made_executable, IVP_SANDBOX_MEET, mprotect(dir, 1, PROT_READ | PROT_EXEC))
FORBIDDEN(packets, IVP_SANDBOX_MEET, socket(AF_PACKET, SOCK_RAW, 0))
FORBIDDEN(a_user_namespace, IVP_SANDBOX_MEET, syscall(SYS_unshare, 0x10000000))

/* What was allowed for finding a peer is not any more. */
static int the_second_filter(void)
{
	enclose(IVP_SANDBOX_MEET);
	if (socket(AF_UNIX, SOCK_STREAM, 0) < 0 || ivp_sandbox_calls(IVP_SANDBOX_STREAM))
		return 1;
	socket(AF_UNIX, SOCK_STREAM, 0);
	return 0;
}

static void *in_a_thread(void *arg)
{
	(void)arg;
	/* Until the other has enclosed us both, which the kernel does in several steps: it may say so before it is so. */
	for (time_t end = time(NULL) + 20; time(NULL) < end;)
		prctl(PR_GET_SECCOMP);
	return NULL;
}

static void *opens(void *arg)
{
	(void)arg;
	open("/dev/null", O_RDONLY);
	return NULL;
}

static int threads_to_come(void)
{
	pthread_t thread;

	enclose(IVP_SANDBOX_STREAM);
	if (pthread_create(&thread, NULL, opens, NULL))
		return 1;
	pthread_join(thread, NULL);
	return 0;
}

/* prctl() is none of the calls that are left: a thread that was there before dies of it, once it is under the filter, too. */
static int threads_that_are(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, in_a_thread, NULL))
		return 1;
	enclose(IVP_SANDBOX_STREAM);
	pthread_join(thread, NULL);
	return 0;
}

static void on_signal(int number)
{
	(void)number;
}

static void *nothing(void *arg)
{
	return arg;
}

static int streaming_goes_on(void)
{
	struct timespec pause = {.tv_nsec = 1000};
	struct sigaction action = {.sa_handler = on_signal};
	char byte, *memory;
	int pipes[2], one = 1;
	pthread_t thread;

	if (pipe(pipes))
		return 1;
	enclose(IVP_SANDBOX_STREAM);
	memory = malloc(1 << 22);
	if (!memory || write(pipes[1], "x", 1) != 1 || read(pipes[0], &byte, 1) != 1)
		return 2;
	free(memory);
	if (getrandom(&byte, 1, 0) != 1 || nanosleep(&pause, NULL) || sigaction(SIGUSR1, &action, NULL) ||
	    raise(SIGUSR1))
		return 3;
	if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
		return 4;
	if (ioctl(pipes[0], FIONREAD, &one) || fcntl(pipes[0], F_GETFL) < 0 || dup2(pipes[0], 9) != 9)
		return 5;
	return 0;
}

static void check_refused(int (*body)(void), const char *what)
{
	int code = child(body);

	if (code == NONE)
		printf("# no filter in this build: %s\n", what);
	check(code == KILLED || code == NONE, what);
}

static void check_good(int (*body)(void), const char *what)
{
	int code = child(body);

	if (code)
		printf("# %s: %d\n", what, code);
	check(!code || code == NONE, what);
}

int main(void)
{
	int fd;

	snprintf(dir, sizeof(dir), "/tmp/ivpipe-sandbox-XXXXXX");
	if (!mkdtemp(dir) || chdir(dir))
		return 1;
	snprintf(inside, sizeof(inside), "%s/inside", dir);
	snprintf(outside, sizeof(outside), "%s/outside", dir);
	fd = open(outside, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || mkdir(inside, 0700))
		return 1;
	close(fd);

	check_good(files_are_refused, "no file is opened, made or taken away");
	check_good(what_is_named_is_not, "but what is named");
	check_good(a_place_that_is_not_there, "a place that is not there is an error");
	check_good(nobody_looks_in, "nobody looks into the process, and it gains no rights");
	check_refused(opening, "open");
	check_refused(a_socket, "socket, once there is a peer");
	check_refused(executing, "execve");
	check_refused(forking, "fork");
	check_refused(tracing, "ptrace");
	check_refused(killing, "kill");
	check_refused(renaming, "rename");
	check_refused(mounting, "mount");
	check_refused(other_ioctls, "ioctls that are not the driver's");
	check_refused(executable_memory, "memory to execute");
	check_refused(memory_made_executable, "or made so");
	check_refused(packets, "sockets of other families");
	check_refused(a_user_namespace, "unshare");
	check_refused(the_second_filter, "the second filter takes away what the first had left");
	check_refused(threads_to_come, "threads that come are under it");
	check_refused(threads_that_are, "and those that were there");
	check_good(streaming_goes_on, "what streaming takes is left");

	unlink(outside);
	rmdir(inside);
	rmdir(dir);
	return check_done();
}
