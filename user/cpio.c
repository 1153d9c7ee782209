// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "cpio.h"
#include "error.h"

#define LAST "TRAILER!!!"

static int fail(const struct ivp_cpio *cpio, struct ivp_error *err)
{
	int number = errno ? -errno : -EIO;

	return ivp_fail(err, IVP_FAIL_GENERAL, number, "%s: %s", cpio->path, strerror(-number));
}

static int pad(struct ivp_cpio *cpio, uint64_t written, struct ivp_error *err)
{
	static const char zeros[4];
	size_t len = -written & 3;

	return fwrite(zeros, 1, len, cpio->out) == len ? 0 : fail(cpio, err);
}

/* Thirteen numbers of eight digits; the name is without the slash in front, and ends with a zero. */
static int head(struct ivp_cpio *cpio, const char *name, unsigned int mode, uint64_t size, struct ivp_error *err)
{
	size_t len = strlen(name) + 1;

	if (fprintf(cpio->out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", ++cpio->inode, mode, 0, 0,
		    1, 0, (unsigned int)size, 0, 0, 0, 0, (unsigned int)len, 0) < 0 ||
	    fwrite(name, 1, len, cpio->out) != len)
		return fail(cpio, err);
	return pad(cpio, 110 + len, err);
}

int ivp_cpio_directory(struct ivp_cpio *cpio, const char *name, struct ivp_error *err)
{
	return head(cpio, name + 1, S_IFDIR | 0755, 0, err);
}

static int directories(struct ivp_cpio *cpio, const char *name, struct ivp_error *err)
{
	char part[PATH_MAX];
	int ret = 0;

	for (const char *slash = strchr(name + 1, '/'); !ret && slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - name), name);
		ret = ivp_cpio_directory(cpio, part, err);
	}
	return ret;
}

/* Exactly size bytes: that is what the head has said. */
static int contents(struct ivp_cpio *cpio, FILE *in, uint64_t size, struct ivp_error *err)
{
	static char bytes[65536];

	for (uint64_t done = 0; done < size;) {
		size_t want = size - done < sizeof(bytes) ? (size_t)(size - done) : sizeof(bytes);
		size_t got = fread(bytes, 1, want, in);

		if (!got || fwrite(bytes, 1, got, cpio->out) != got)
			return fail(cpio, err);
		done += got;
	}
	return pad(cpio, size, err);
}

int ivp_cpio_program(struct ivp_cpio *cpio, const char *name, const char *from, struct ivp_error *err)
{
	FILE *in = fopen(from, "re");
	struct stat st;
	int ret;

	if (!in || fstat(fileno(in), &st)) {
		ret = ivp_fail(err, IVP_FAIL_GENERAL, -errno, "%s: %s", from, strerror(errno));
	} else {
		ret = directories(cpio, name, err);
		if (!ret)
			ret = head(cpio, name + 1, S_IFREG | 0755, (uint64_t)st.st_size, err);
		if (!ret)
			ret = contents(cpio, in, (uint64_t)st.st_size, err);
	}
	if (in)
		fclose(in);
	return ret;
}

int ivp_cpio_end(struct ivp_cpio *cpio, struct ivp_error *err)
{
	int ret = head(cpio, LAST, 0, 0, err);

	return ret ? ret : fflush(cpio->out) ? fail(cpio, err) : 0;
}
