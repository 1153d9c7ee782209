// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pair.h"

int64_t __real_ivp_now(void);

int64_t await_deadline(void)
{
	return __real_ivp_now() + 20000;
}

void await_pause(int64_t deadline, const char *condition, const char *file, int line)
{
	struct ivp_doze doze = {.looks = ~0u / 2};

	if (__real_ivp_now() > deadline) {
		print_error("%s:%d: never came to pass: %s\n", file, line, condition);
		fail();
	}
	ivp_doze(&doze);
}

static void (*_Atomic before)(void);

void before_token(void (*call)(void))
{
	atomic_store(&before, call);
}

/* The linker's names for what --wrap puts in the place of ivp_lane_find_token(). */
bool __real_ivp_lane_find_token(const struct ivp_lane *lane, const struct ivp_message *message);
bool __wrap_ivp_lane_find_token(const struct ivp_lane *lane, const struct ivp_message *message);

bool __wrap_ivp_lane_find_token(const struct ivp_lane *lane, const struct ivp_message *message)
{
	void (*call)(void) = atomic_exchange(&before, NULL);

	if (call)
		call();
	return __real_ivp_lane_find_token(lane, message);
}

static void (*_Atomic before_look)(void);

void before_lock_look(void (*call)(void))
{
	atomic_store(&before_look, call);
}

bool __real_ivp_locks_held(int fd, uint64_t byte, uint64_t count);
bool __wrap_ivp_locks_held(int fd, uint64_t byte, uint64_t count);

bool __wrap_ivp_locks_held(int fd, uint64_t byte, uint64_t count)
{
	void (*call)(void) = atomic_load(&before_look);

	if (call)
		call();
	return __real_ivp_locks_held(fd, byte, count);
}

static void make_file(const char *path, u64 size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

void place_make(struct place *place, u64 size)
{
	char path[128];

	snprintf(place->dir, sizeof(place->dir), "/dev/shm/ivpipe-unit-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->file, sizeof(place->file), "%s/region", place->dir);
	make_file(place->file, size);
	snprintf(path, sizeof(path), "%s/bar", place->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/bar/resource2", place->dir);
	make_file(path, 0);
	snprintf(path, sizeof(path), "%s/bar/enable", place->dir);
	make_file(path, 1);
	snprintf(place->device, sizeof(place->device), "%s/bar/resource2_wc", place->dir);
	assert_int_equal(symlink("../region", place->device), 0);
	snprintf(place->node, sizeof(place->node), "%s/node", place->dir);
	make_file(place->node, 0);
	snprintf(place->other_node, sizeof(place->other_node), "%s/other-node", place->dir);
	make_file(place->other_node, 0);
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

void place_remove(struct place *place)
{
	nftw(place->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void place_write(const struct place *place, u64 offset, const void *bytes, size_t len)
{
	int fd = open(place->file, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), len);
	close(fd);
}

static struct ivp_region *open_path(const char *path, int side)
{
	struct ivp_open_options options = {.side = side, .wait_ms = 10000};
	struct ivp_region *region;
	struct ivp_error err;

	if (ivp_region_open(&region, path, &options, &err))
		fail_msg("%s", err.text);
	return region;
}

struct ivp_region *place_open(const struct place *place, int side)
{
	return open_path(place->file, side);
}

struct ivp_region *place_open_device(const struct place *place)
{
	return open_path(place->device, IVP_SIDE_AUTO);
}

struct ivp_region *place_open_node(const struct place *place)
{
	return open_path(place->node, IVP_SIDE_AUTO);
}

struct ivp_region *place_open_other_node(const struct place *place)
{
	return open_path(place->other_node, 0);
}

static void *knock_main(void *arg)
{
	struct knock *knock = arg;

	knock->ret = ivp_connect(&knock->lane, knock->region, &knock->options, &knock->err);
	return NULL;
}

void knock_begin(struct knock *knock, struct ivp_region *region, const struct ivp_lane_options *options)
{
	memset(knock, 0, sizeof(*knock));
	knock->region = region;
	knock->options = *options;
	assert_int_equal(pthread_create(&knock->thread, NULL, knock_main, knock), 0);
}

int knock_end(struct knock *knock)
{
	pthread_join(knock->thread, NULL);
	return knock->ret;
}

struct ivp_lane_options pair_options(void)
{
	return (struct ivp_lane_options){.size = -1, .wait_ms = 20000, .timeout_ms = 20000};
}

void pair_open(struct pair *pair, bool remote)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_error err;

	memset(pair, 0, sizeof(*pair));
	place_make(&pair->place, PLACE_SIZE);
	pair->here = place_open(&pair->place, 0);
	pair->there = remote ? place_open_device(&pair->place) : place_open(&pair->place, 1);
	if (ivp_listen(&pair->listener, pair->here, &options, &err))
		fail_msg("%s", err.text);
}

void pair_connect_with(struct pair *pair, bool remote, const struct ivp_lane_options *options)
{
	struct ivp_error err;
	struct knock knock;
	int ret;

	pair_open(pair, remote);
	ivp_listener_close(pair->listener);
	assert_int_equal(ivp_listen(&pair->listener, pair->here, options, NULL), 0);
	knock_begin(&knock, pair->there, options);
	ret = ivp_accept(&pair->server, pair->listener, &err);
	if (knock_end(&knock))
		fail_msg("connect: %s", knock.err.text);
	if (ret)
		fail_msg("accept: %s", err.text);
	pair->client = knock.lane;
}

void pair_connect(struct pair *pair, bool remote)
{
	struct ivp_lane_options options = pair_options();

	pair_connect_with(pair, remote, &options);
}

void pair_close(struct pair *pair)
{
	ivp_lane_close(pair->client);
	ivp_lane_close(pair->server);
	ivp_listener_close(pair->listener);
	ivp_region_close(pair->there);
	ivp_region_close(pair->here);
	place_remove(&pair->place);
}

void child_start(struct child *child, void (*body)(int fd, void *arg), void *arg)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (!child->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		body(fds[1], arg);
		_exit(0);
	}
	close(fds[1]);
	child->fd = fds[0];
}

int child_wait(struct child *child)
{
	int status = -1;

	waitpid(child->pid, &status, 0);
	close(child->fd);
	return status;
}

void child_kill(struct child *child)
{
	kill(child->pid, SIGKILL);
	child_wait(child);
}

void word_say(int fd)
{
	if (write(fd, "w", 1) != 1)
		_exit(1);
}

void word_hear(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		fail_msg("the other process ended before its word");
}
