// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "endpoint.h"
#include "pair.h"

static struct ivp_endpoint endpoint;
static struct ivp_error err;
static char dir[40];

static int setup(void **state)
{
	(void)state;
	memset(&err, 0, sizeof(err));
	snprintf(dir, sizeof(dir), "/dev/shm/ivpipe-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int teardown(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/socket", dir);
	unlink(path);
	return rmdir(dir);
}

/* ---- words ---- */

static void what_is_meant_is_understood(void **state)
{
	static const struct {
		const char *spec;
		enum ivp_endpoint_kind kind;
		const char *host;
		u32 cid, port;
		int in, out;
	} all[] = {
		{"unix:/run/a:b", IVP_ENDPOINT_UNIX, "", 0, 0, -1, -1},
		{"serial:/dev/virtio-ports/a", IVP_ENDPOINT_SERIAL, "", 0, 0, -1, -1},
		{"exec:ssh vm ivpipe recv", IVP_ENDPOINT_EXEC, "", 0, 0, -1, -1},
		{"vsock:3:70000", IVP_ENDPOINT_VSOCK, "", 3, 70000, -1, -1},
		{"vsock:host:1", IVP_ENDPOINT_VSOCK, "", 2, 1, -1, -1},
		{"vsock:local:1", IVP_ENDPOINT_VSOCK, "", 1, 1, -1, -1},
		{"vsock:any:4294967294", IVP_ENDPOINT_VSOCK, "", IVP_ENDPOINT_CID_ANY, 4294967294, -1, -1},
		{"tcp:example.org:80", IVP_ENDPOINT_TCP, "example.org", 0, 80, -1, -1},
		{"tcp::65535", IVP_ENDPOINT_TCP, "", 0, 65535, -1, -1},
		{"tcp:[fe80::1]:1", IVP_ENDPOINT_TCP, "fe80::1", 0, 1, -1, -1},
		{"tcp:[127.0.0.1]:1", IVP_ENDPOINT_TCP, "127.0.0.1", 0, 1, -1, -1},
		{"fd:7", IVP_ENDPOINT_FD, "", 0, 0, 7, 7},
		{"fd:0,1", IVP_ENDPOINT_FD, "", 0, 0, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (ivp_endpoint_parse(&endpoint, all[i].spec, &err))
			fail_msg("%s: %s", all[i].spec, err.text);
		assert_int_equal(endpoint.kind, all[i].kind);
		assert_string_equal(endpoint.host, all[i].host);
		assert_int_equal(endpoint.cid, all[i].cid);
		assert_int_equal(endpoint.port, all[i].port);
		assert_int_equal(endpoint.in, all[i].in);
		assert_int_equal(endpoint.out, all[i].out);
		assert_string_equal(endpoint.rest, strchr(all[i].spec, ':') + 1);
	}
}

static void all_else_is_refused_in_one_line(void **state)
{
	static const char *const all[] = {
		"",
		"unix",
		"unix:",
		"Unix:/a",
		"/run/socket",
		":",
		"vsock:1",
		"vsock::1",
		"vsock:1:",
		"vsock:1:4294967295",
		"vsock:4294967295:1",
		"vsock:-1:1",
		"vsock:1:2:3",
		"vsock:anybody:1",
		"vsock: 1:1",
		"tcp:a",
		"tcp:a:",
		"tcp:a:0",
		"tcp:a:65536",
		"tcp:a:1x",
		"tcp:a: 1",
		"tcp:::1:5",
		"tcp:[::1]",
		"tcp:[::1]5",
		"tcp:[::1:5",
		"tcp:[]:5",
		"tcp:[:5",
		"tcp:::1]:5",
		"tcp:[[::1]]:5",
		"fd:",
		"fd:x",
		"fd:-1",
		"fd:1,",
		"fd:,1",
		"fd:1,2,3",
		"fd:1048577",
		"fd:99999999999999999999",
		"serial:",
		"exec:",
		"udp:a:1",
	};
	char longer[400];

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		memset(&err, 0, sizeof(err));
		if (ivp_endpoint_parse(&endpoint, all[i], &err) != -EINVAL)
			fail_msg("%s is taken", all[i]);
		assert_int_equal(err.kind, IVP_FAIL_USAGE);
		assert_null(strchr(err.text, '\n'));
		assert_non_null(strstr(err.text, "give "));
	}
	memset(longer, 'a', sizeof(longer));
	memcpy(longer, "unix:", 5);
	longer[5 + 108] = 0;
	assert_int_equal(ivp_endpoint_parse(&endpoint, longer, &err), -EINVAL);
	longer[5 + 107] = 0;
	assert_int_equal(ivp_endpoint_parse(&endpoint, longer, &err), 0);
	memset(longer, 'a', sizeof(longer));
	memcpy(longer, "tcp:", 4);
	memcpy(longer + 4 + IVP_ENDPOINT_HOST_MAX, ":1", 3);
	assert_int_equal(ivp_endpoint_parse(&endpoint, longer, &err), -EINVAL);
	memcpy(longer + 3 + IVP_ENDPOINT_HOST_MAX, ":1", 3);
	assert_int_equal(ivp_endpoint_parse(&endpoint, longer, &err), 0);
}

/* ---- connections ---- */

/* %s: the directory; *: a port that is ours. */
static void parse(const char *format)
{
	static char spec[200];
	char *star;

	snprintf(spec, sizeof(spec) - 8, format, dir);
	star = strchr(spec, '*');
	if (star)
		snprintf(star, 8, "%d", 20000 + getpid() % 40000);
	if (ivp_endpoint_parse(&endpoint, spec, &err))
		fail_msg("%s: %s", spec, err.text);
}

static int accept_from(int listener, struct ivp_ends *ends)
{
	int ret;

	await((ret = ivp_endpoint_accept(&endpoint, listener, ends, &err)) != -EAGAIN);
	return ret;
}

static void passes_bytes(const struct ivp_ends *one, const struct ivp_ends *other)
{
	char byte = 0;

	assert_int_equal(write(one->out, "x", 1), 1);
	await(read(other->in, &byte, 1) == 1);
	assert_int_equal(byte, 'x');
	byte = 0;
	assert_int_equal(write(other->out, "y", 1), 1);
	await(read(one->in, &byte, 1) == 1);
	assert_int_equal(byte, 'y');
}

static void connects(const char *format)
{
	struct ivp_ends client, server;
	int listener;

	parse(format);
	listener = ivp_endpoint_listen(&endpoint, &err);
	if (listener < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ivp_endpoint_accept(&endpoint, listener, &server, &err), -EAGAIN);
	if (ivp_endpoint_connect(&endpoint, &client, ivp_deadline(20000), NULL, &err))
		fail_msg("%s", err.text);
	assert_int_equal(accept_from(listener, &server), 0);
	assert_true(client.socket && server.socket && !client.borrowed && !server.borrowed);
	passes_bytes(&client, &server);
	assert_true(fcntl(client.in, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(server.in, F_GETFD) & FD_CLOEXEC);
	close(client.in);
	close(server.in);
	close(listener);
	ivp_endpoint_forget(&endpoint);
}

static void over_a_unix_socket(void **state)
{
	(void)state;
	connects("unix:%s/socket");
}

static void over_tcp(void **state)
{
	(void)state;
	connects("tcp:127.0.0.1:*%.0s");
	connects("tcp:localhost:*%.0s");
	connects("tcp::*%.0s");
}

static void over_tcp_of_version_6(void **state)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	(void)state;
	close(fd);
	if (fd < 0 || access("/proc/net/if_inet6", F_OK))
		skip();
	connects("tcp:[::1]:*%.0s");
}

static void a_socket_that_nobody_answers_is_replaced(void **state)
{
	struct ivp_endpoint first;
	int listener;

	(void)state;
	parse("unix:%s/socket");
	listener = ivp_endpoint_listen(&endpoint, &err);
	assert_true(listener >= 0);
	first = endpoint;
	assert_int_equal(ivp_endpoint_listen(&endpoint, &err), -EADDRINUSE);
	assert_null(strchr(err.text, '\n'));
	close(listener);
	endpoint.inode = 0;
	listener = ivp_endpoint_listen(&endpoint, &err);
	assert_true(listener >= 0);
	/* What has gone takes away its own name, and no other's. */
	if (endpoint.inode != first.inode) {
		ivp_endpoint_forget(&first);
		assert_int_equal(access(endpoint.rest, F_OK), 0);
	}
	ivp_endpoint_forget(&endpoint);
	assert_int_equal(access(endpoint.rest, F_OK), -1);
	close(listener);
}

static void what_is_no_socket_is_not_replaced(void **state)
{
	int fd;

	(void)state;
	parse("unix:%s/socket");
	fd = open(endpoint.rest, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(ivp_endpoint_listen(&endpoint, &err), -EADDRINUSE);
	assert_int_equal(access(endpoint.rest, F_OK), 0);
}

static void *listen_later(void *arg)
{
	static struct ivp_endpoint own;
	int *listener = arg;
	struct ivp_error failure;

	own = endpoint;
	*listener = ivp_endpoint_listen(&own, &failure);
	return NULL;
}

static void who_is_not_there_yet_is_waited_for(void **state)
{
	struct ivp_ends ends;
	pthread_t thread;
	int listener = -1;

	(void)state;
	parse("unix:%s/socket");
	assert_int_equal(ivp_endpoint_connect(&endpoint, &ends, ivp_now(), NULL, &err), -ENOENT);
	assert_int_equal(err.kind, IVP_FAIL_NO_PEER);
	assert_int_equal(pthread_create(&thread, NULL, listen_later, &listener), 0);
	if (ivp_endpoint_connect(&endpoint, &ends, ivp_deadline(20000), NULL, &err))
		fail_msg("%s", err.text);
	pthread_join(thread, NULL);
	assert_true(listener >= 0);
	close(ends.in);
	close(listener);
}

/* The kernel keeps so many connections for a listener, and no more: that is no reason to give it up before the time is over. */
static void who_has_callers_enough_is_waited_for(void **state)
{
	struct ivp_ends ends[8];
	int64_t deadline;
	int listener, count = 0, ret;

	(void)state;
	parse("unix:%s/socket");
	listener = ivp_endpoint_listen(&endpoint, &err);
	assert_int_equal(listen(listener, 1), 0);
	do {
		deadline = ivp_deadline(30);
		ret = ivp_endpoint_connect(&endpoint, &ends[count], deadline, NULL, &err);
	} while (!ret && ++count < 8);
	assert_int_equal(ret, -EAGAIN);
	assert_true(ivp_now() >= deadline);
	assert_int_equal(err.kind, IVP_FAIL_NO_PEER);
	assert_non_null(strstr(err.text, "others wait"));
	while (count--)
		close(ends[count].in);
	close(listener);
}

static void waiting_can_be_cancelled(void **state)
{
	static volatile sig_atomic_t cancel = 1;
	struct ivp_ends ends;

	(void)state;
	parse("unix:%s/socket");
	assert_int_equal(ivp_endpoint_connect(&endpoint, &ends, INT64_MAX, &cancel, &err), -EINTR);
}

static void descriptors_are_the_users(void **state)
{
	struct ivp_ends ends;
	char spec[32];
	int pair[2], pipes[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	snprintf(spec, sizeof(spec), "fd:%d", pair[0]);
	assert_int_equal(ivp_endpoint_parse(&endpoint, spec, &err), 0);
	assert_int_equal(ivp_endpoint_listen(&endpoint, &err), -EOPNOTSUPP);
	assert_int_equal(ivp_endpoint_connect(&endpoint, &ends, 0, NULL, &err), 0);
	assert_true(ends.borrowed && ends.socket);
	assert_int_equal(ends.in, pair[0]);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(ivp_endpoint_connect(&endpoint, &ends, 0, NULL, &err), -EBADF);
	assert_int_equal(err.kind, IVP_FAIL_USAGE);
	assert_int_equal(pipe(pipes), 0);
	snprintf(spec, sizeof(spec), "fd:%d,%d", pipes[0], pipes[1]);
	assert_int_equal(ivp_endpoint_parse(&endpoint, spec, &err), 0);
	assert_int_equal(ivp_endpoint_connect(&endpoint, &ends, 0, NULL, &err), 0);
	assert_true(ends.borrowed && !ends.socket);
	close(pipes[0]);
	close(pipes[1]);
}

static void a_command_is_run(void **state)
{
	struct ivp_ends ends;
	char byte = 0;
	int status;

	(void)state;
	parse("exec:test -d %s && exec cat");
	assert_int_equal(ivp_endpoint_connect(&endpoint, &ends, 0, NULL, &err), 0);
	assert_true(ends.child > 0 && ends.socket && !ends.borrowed);
	assert_int_equal(write(ends.out, "x", 1), 1);
	assert_int_equal(read(ends.in, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(ends.in);
	assert_int_equal(waitpid(ends.child, &status, 0), ends.child);
	assert_int_equal(status, 0);
}

static void a_port_can_be_the_socket_of_its_other_end(void **state)
{
	struct ivp_endpoint port;
	struct ivp_ends ends, other;
	char spec[64];
	int listener;

	(void)state;
	parse("unix:%s/socket");
	listener = ivp_endpoint_listen(&endpoint, &err);
	snprintf(spec, sizeof(spec), "serial:%s/socket", dir);
	assert_int_equal(ivp_endpoint_parse(&port, spec, &err), 0);
	assert_int_equal(ivp_endpoint_listen(&port, &err), -EOPNOTSUPP);
	assert_int_equal(ivp_endpoint_connect(&port, &ends, 0, NULL, &err), 0);
	assert_int_equal(accept_from(listener, &other), 0);
	passes_bytes(&ends, &other);
	close(ends.in);
	close(other.in);
	close(listener);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_meant_is_understood),
		TEST(all_else_is_refused_in_one_line),
		TEST(over_a_unix_socket),
		TEST(over_tcp),
		TEST(over_tcp_of_version_6),
		TEST(a_socket_that_nobody_answers_is_replaced),
		TEST(what_is_no_socket_is_not_replaced),
		TEST(who_is_not_there_yet_is_waited_for),
		TEST(who_has_callers_enough_is_waited_for),
		TEST(waiting_can_be_cancelled),
		TEST(descriptors_are_the_users),
		TEST(a_command_is_run),
		TEST(a_port_can_be_the_socket_of_its_other_end),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
