// SPDX-License-Identifier: MIT
/* Which modules are loaded, and in which order, by tables that are given. */
#include <string.h>

#include "../../user/modules.c"
#include "check.h"

static const char dep[] =
	"kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko "
	"kernel/drivers/virtio/virtio.ko\n"
	"kernel/drivers/virtio/virtio.ko:\n"
	"kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz\n"
	"kernel/net/9p/9pnet.ko.xz:\n"
	"updates/two-words.ko.zst: kernel/drivers/virtio/virtio.ko\n"
	"no colon\n";
static const char builtin[] = "kernel/drivers/virtio/virtio_pci.ko\nkernel/lib/other-one.ko\n";

static int need(struct ivp_modules *modules, const char *name)
{
	FILE *deps = fmemopen((void *)dep, sizeof(dep) - 1, "r"),
	     *builtins = fmemopen((void *)builtin, sizeof(builtin) - 1, "r");
	int ret = ivp_modules_need(modules, deps, builtins, name);

	fclose(deps);
	fclose(builtins);
	return ret;
}

/* The names of the files, in order. */
static bool are(const struct ivp_modules *modules, const char *const *names)
{
	size_t i;

	for (i = 0; i < modules->count && names[i]; i++)
		if (strcmp(strrchr(modules->files[i], '/') + 1, names[i]))
			return false;
	return i == modules->count && !names[i];
}

static void order(void)
{
	static const char *const net[] = {"virtio.ko", "failover.ko", "net_failover.ko", "virtio_net.ko", NULL};
	static const char *const more[] = {"virtio.ko",   "failover.ko", "net_failover.ko",  "virtio_net.ko",
					   "9pnet.ko.xz", "9p.ko.xz",    "two-words.ko.zst", NULL};
	struct ivp_modules modules = {0};

	check(!need(&modules, "virtio_net") && are(&modules, net),
	      "what is needed comes first, and the last of it before all");
	check(!need(&modules, "virtio_net") && !need(&modules, "virtio") && are(&modules, net),
	      "nothing is loaded twice");
	check(!need(&modules, "9p") && !need(&modules, "two_words") && are(&modules, more),
	      "packed ones count, and a dash is an underscore");
	check(!need(&modules, "virtio_pci") && !need(&modules, "other_one") && are(&modules, more),
	      "what is built in needs nothing");
	check(need(&modules, "virtio_ne") == -ENOENT && need(&modules, "irtio_net") == -ENOENT &&
		      need(&modules, "9pnet_virtio") == -ENOENT && need(&modules, "no colon") == -ENOENT &&
		      need(&modules, "") == -ENOENT && are(&modules, more),
	      "half a name is none");
	ivp_modules_free(&modules);
	check(!modules.count, "all is given back");
}

static void too_many(void)
{
	char text[IVP_MODULES_MAX * 16 + 32] = "x/a.ko:";
	struct ivp_modules modules = {0};
	FILE *file;

	for (int i = 0; i < IVP_MODULES_MAX; i++)
		sprintf(text + strlen(text), " x/m%d.ko", i);
	strcat(text, "\n");
	file = fmemopen(text, strlen(text), "r");
	check(ivp_modules_need(&modules, file, NULL, "a") == -ENOSPC && modules.count == IVP_MODULES_MAX,
	      "there is a bound");
	fclose(file);
	ivp_modules_free(&modules);
}

static int release_of(unsigned char *image, size_t size, char *release)
{
	FILE *file = fmemopen(image, size, "r");
	int ret = ivp_modules_release(file, release, 80);

	fclose(file);
	return ret;
}

static void releases(void)
{
	unsigned char image[0x400] = {0};
	char release[80];

	memcpy(image + MARK_AT, "HdrS", 4);
	image[RELEASE_AT] = 0x60;
	strcpy((char *)image + 512 + 0x60, "6.1.0-56-amd64 (somebody@somewhere) #1");
	check(!release_of(image, sizeof(image), release) && !strcmp(release, "6.1.0-56-amd64"),
	      "an image has its release");
	strcpy((char *)image + 512 + 0x60, "../../etc #1");
	check(release_of(image, sizeof(image), release) == -ENOENT && !release[0], "one that leads elsewhere is none");
	image[RELEASE_AT + 1] = 0x70;
	check(release_of(image, sizeof(image), release) == -ENOENT, "nor one that is not in the file");
	image[MARK_AT] = 0;
	check(release_of(image, sizeof(image), release) == -ENOENT, "nor one of something else");
	check(release_of(image, 100, release) == -ENOENT, "nor one of a short file");
}

int main(void)
{
	order();
	too_many();
	releases();
	return check_done();
}
