// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "screen.h"
#include "wait.h"

/* What a terminal has that does not say. */
#define LINES   24
#define COLUMNS 80

static struct winsize size_of_terminal(void)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
		size = (struct winsize){.ws_row = LINES, .ws_col = COLUMNS};
	return size;
}

size_t ivp_screen_width(void)
{
	return isatty(STDOUT_FILENO) ? size_of_terminal().ws_col : 0;
}

/* Keys are those of whoever is in front: a job in the background that asked for them would be stopped. */
void ivp_screen_begin(struct ivp_screen *screen)
{
	struct termios raw;

	*screen = (struct ivp_screen){.terminal = isatty(STDOUT_FILENO)};
	if (!screen->terminal || tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &screen->before))
		return;
	raw = screen->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	screen->keys = !tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void ivp_screen_end(struct ivp_screen *screen)
{
	if (screen->keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
	screen->keys = false;
}

/* Bytes of the first `columns` characters of a line, and whether there are more. */
static size_t fitting(const char *line, size_t len, size_t columns)
{
	size_t used = 0;

	while (used < len && columns--) {
		size_t next = ivp_log_character(line + used);

		used += next ? next : 1;
	}
	return used < len ? used : len;
}

/* Over what stands there already. The last line stays free, since a newline in it would scroll. */
static void draw(struct ivp_screen *screen, const char *text)
{
	struct winsize size = size_of_terminal();
	size_t lines = 0;

	if (screen->lines)
		printf("\033[%zuA", screen->lines);
	for (; *text && lines + 1 < size.ws_row; lines++) {
		size_t len = strcspn(text, "\n");

		printf("\r%.*s\033[K\n", (int)fitting(text, len, size.ws_col), text);
		text += len + (text[len] == '\n');
	}
	printf("\033[J");
	screen->lines = lines;
}

int ivp_screen_show(struct ivp_screen *screen, const char *text)
{
	if (screen->terminal)
		draw(screen, text);
	else
		fputs(text, stdout);
	return fflush(stdout) || ferror(stdout) ? -errno : 0;
}

static bool is_quit(struct pollfd *input)
{
	char key;

	if (!(input->revents & (POLLIN | POLLHUP | POLLERR)))
		return false;
	/* An end is no wish; but there will be no more keys. */
	if (read(STDIN_FILENO, &key, 1) == 1)
		return key == 'q' || key == 'Q';
	input->fd = -1;
	return false;
}

/* Signals are let in only while we sleep, so that none comes between looking for it and going to sleep. */
static int sleep_until(struct pollfd *polled, int64_t left)
{
	const struct timespec time = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
	sigset_t ends, before;
	int ret = -1;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, &before);
	errno = EINTR;
	if (!ivp_cli_signal)
		ret = ppoll(polled, 2, &time, &before);
	if (ret < 0)
		ret = -errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ret;
}

enum ivp_screen_event ivp_screen_wait(const struct ivp_screen *screen, int64_t deadline)
{
	struct pollfd polled[2] = {{.fd = STDOUT_FILENO}, {.fd = screen->keys ? STDIN_FILENO : -1, .events = POLLIN}};

	while (!ivp_cli_signal) {
		int64_t left = deadline - ivp_now();
		int ret;

		if (left <= 0)
			return IVP_SCREEN_TIME;
		ret = sleep_until(polled, left);
		if (ret == -EINTR)
			continue;
		if (ret < 0 || polled[0].revents & (POLLERR | POLLHUP | POLLNVAL))
			return IVP_SCREEN_GONE;
		if (is_quit(&polled[1]))
			return IVP_SCREEN_QUIT;
	}
	return IVP_SCREEN_QUIT;
}
