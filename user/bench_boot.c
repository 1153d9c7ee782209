// SPDX-License-Identifier: MIT
/* A guest's parts: what has to be there, a directory with what is made, and QEMU. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_vm.h"
#include "cpio.h"
#include "error.h"

#define PROGRAM   "qemu-system-x86_64"
#define SELF      "/proc/self/exe"
#define SIZE      (64ULL << 20)
#define LEAST     (4ULL << 20)
#define WORDS_MAX 96

/* ---- what has to be there ---- */

static int find_qemu(struct ivp_bench_vm *vm, struct ivp_error *err)
{
	const char *path = getenv("PATH");

	for (const char *at = path; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		int len = (int)strcspn(at, ":");

		if (snprintf(vm->qemu, sizeof(vm->qemu), "%.*s/" PROGRAM, len, at) < (int)sizeof(vm->qemu) &&
		    !access(vm->qemu, X_OK))
			return 0;
	}
	return ivp_fail(err, IVP_FAIL_GENERAL, -ENOENT,
			"--vm: " PROGRAM " is not installed (apt install qemu-system-x86)");
}

/* The newest last, as names go. */
static int by_version(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* True: there is one that can be read; else the name of one that cannot be, or none. */
static bool newest(struct ivp_bench_vm *vm)
{
	bool good = false;
	glob_t all;

	if (glob("/boot/vmlinuz-*", GLOB_NOSORT, NULL, &all))
		return false;
	qsort(all.gl_pathv, all.gl_pathc, sizeof(*all.gl_pathv), by_version);
	for (size_t i = all.gl_pathc; !good && i-- > 0;) {
		snprintf(vm->image, sizeof(vm->image), "%s", all.gl_pathv[i]);
		good = !access(vm->image, R_OK);
	}
	globfree(&all);
	return good;
}

static int find_kernel(struct ivp_bench_vm *vm, struct ivp_error *err)
{
	struct utsname name;

	if (vm->kernel) {
		snprintf(vm->image, sizeof(vm->image), "%s", vm->kernel);
		return access(vm->image, R_OK) ? ivp_fail(err, errno == EACCES ? IVP_FAIL_PERMISSION : IVP_FAIL_GENERAL,
							  -errno, "--kernel %s: %s", vm->kernel, strerror(errno))
					       : 0;
	}
	uname(&name);
	snprintf(vm->image, sizeof(vm->image), "/boot/vmlinuz-%s", name.release);
	if (!access(vm->image, R_OK))
		return 0;
	vm->image[0] = '\0';
	if (newest(vm))
		return 0;
	if (vm->image[0])
		return ivp_fail(err, IVP_FAIL_PERMISSION, -EACCES,
				"--vm: %s cannot be read: run as root, or chmod +r it", vm->image);
	return ivp_fail(err, IVP_FAIL_GENERAL, -ENOENT, "--vm: no kernel in /boot: name one with --kernel FILE");
}

int ivp_bench_vm_find(struct ivp_bench_vm *vm, struct ivp_error *err)
{
	int ret = find_qemu(vm, err);

	return ret ? ret : find_kernel(vm, err);
}

/* ---- what is made ---- */

struct packing {
	struct ivp_cpio cpio;
	struct ivp_error *err;
	int ret;
};

/* A library, by the name that the loader found it by: it will look there again. Neither ourselves nor the kernel's has one. */
static int pack_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct packing *packing = arg;

	(void)size;
	if (info->dlpi_name[0] == '/')
		packing->ret = ivp_cpio_program(&packing->cpio, info->dlpi_name, info->dlpi_name, packing->err);
	return packing->ret;
}

static int make_root(const struct ivp_bench_vm *vm, struct ivp_error *err)
{
	static const char *const places[] = {"/proc", "/sys", "/dev"};
	struct packing packing = {.cpio = {.out = fopen(vm->root, "wxe"), .path = vm->root}, .err = err};
	int ret = 0;

	if (!packing.cpio.out)
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "%s: %s", vm->root, strerror(errno));
	for (size_t i = 0; !ret && i < sizeof(places) / sizeof(places[0]); i++)
		ret = ivp_cpio_directory(&packing.cpio, places[i], err);
	if (!ret)
		ret = ivp_cpio_program(&packing.cpio, "/init", SELF, err);
	if (!ret) {
		dl_iterate_phdr(pack_library, &packing);
		ret = packing.ret;
	}
	if (!ret)
		ret = ivp_bench_devices_pack(&vm->devices, &packing.cpio, err);
	if (!ret)
		ret = ivp_cpio_end(&packing.cpio, err);
	fclose(packing.cpio.out);
	return ret;
}

static int make_memory(struct ivp_bench_vm *vm, struct ivp_error *err)
{
	struct ivp_format_options options = {.size = SIZE, .create = true};
	struct ivp_region_info made;
	int ret = ivp_format(vm->memory, &options, &made, err);

	if (ret == -ENOSPC) {
		options.size = LEAST;
		ret = ivp_format(vm->memory, &options, &made, err);
	}
	vm->size = options.size;
	return ret;
}

int ivp_bench_vm_make(struct ivp_bench_vm *vm, struct ivp_error *err)
{
	static const char *const places[] = {"/dev/shm/ivpipe-vm.XXXXXX", "/tmp/ivpipe-vm.XXXXXX"};
	const char *made = NULL;
	int ret;

	for (int i = 0; !made && i < 2; i++) {
		strcpy(vm->directory, places[i]);
		made = mkdtemp(vm->directory);
	}
	if (!made) {
		vm->directory[0] = '\0';
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "--vm: no directory in /dev/shm or /tmp: %s",
				strerror(errno));
	}
	snprintf(vm->root, sizeof(vm->root), "%s/root", made);
	snprintf(vm->memory, sizeof(vm->memory), "%s/memory", made);
	snprintf(vm->console, sizeof(vm->console), "%s/console", made);
	snprintf(vm->out, sizeof(vm->out), "%s/out", made);
	snprintf(vm->complaints, sizeof(vm->complaints), "%s/qemu", made);
	ret = make_memory(vm, err);
	if (!ret)
		ret = ivp_bench_devices_make(&vm->devices, made, vm->qemu, vm->image, err);
	return ret ? ret : make_root(vm, err);
}

/* ---- QEMU ---- */

/* Those of its devices come last. */
static void set_words(char **to, const char *const *words, size_t count, const struct ivp_bench_devices *devices)
{
	for (size_t i = 0; i < count; i++)
		*to++ = (char *)words[i];
	memcpy(to, devices->words, devices->word_count * sizeof(*to));
}

/* In the child. Its last words go to a file, which is read when it did not start. */
static void __attribute__((noreturn)) be_qemu(const struct ivp_bench_vm *vm, const char *accel, int said, pid_t parent)
{
	bool kvm = !strcmp(accel, "kvm");
	char text[6][512];
	const char *const words[] = {
		"-name",
		"ivpipe-bench",
		"-M",
		"q35",
		"-accel",
		accel,
		"-cpu",
		kvm ? "host" : "max",
		"-m",
		"256",
		"-smp",
		"1",
		"-display",
		"none",
		"-nodefaults",
		"-no-user-config",
		"-no-reboot",
		"-kernel",
		vm->image,
		"-initrd",
		vm->root,
		"-append",
		text[0],
		"-object",
		text[1],
		"-device",
		"ivshmem-plain,memdev=memory,addr=0x10",
		"-chardev",
		text[2],
		"-serial",
		"chardev:console",
		"-chardev",
		text[3],
		"-serial",
		"chardev:out",
		"-chardev",
		"stdio,id=said,signal=off",
		"-serial",
		"chardev:said",
	};
	char *argv[WORDS_MAX] = {(char *)vm->qemu};
	int null = open("/dev/null", O_RDONLY), complaints = open(vm->complaints, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	/* An emulated guest's kernel takes a clock that costs more than what is measured. */
	snprintf(text[0], sizeof(text[0]), "console=ttyS0 panic=-1 %srdinit=/init " IVP_BENCH_VM_MARK " -- %s",
		 kvm ? "" : "tsc=reliable clocksource=tsc ", vm->options);
	snprintf(text[1], sizeof(text[1]), "memory-backend-file,id=memory,share=on,mem-path=%s,size=%llu", vm->memory,
		 (unsigned long long)vm->size);
	snprintf(text[2], sizeof(text[2]), "file,id=console,path=%s", vm->console);
	snprintf(text[3], sizeof(text[3]), "file,id=out,path=%s", vm->out);
	set_words(argv + 1, words, sizeof(words) / sizeof(words[0]), &vm->devices);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent && dup2(null, 0) == 0 && dup2(said, 1) == 1 && dup2(complaints, 2) == 2)
		execv(vm->qemu, argv);
	_exit(127);
}

int ivp_bench_vm_start(struct ivp_bench_vm *vm, const char *accel, struct ivp_error *err)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "pipe: %s", strerror(errno));
	vm->pid = fork();
	if (!vm->pid)
		be_qemu(vm, accel, ends[1], parent);
	close(ends[1]);
	vm->said = ends[0];
	if (vm->pid > 0)
		return 0;
	vm->pid = 0;
	return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "fork: %s", strerror(errno));
}

void ivp_bench_vm_stop(struct ivp_bench_vm *vm)
{
	if (vm->pid > 0) {
		kill(vm->pid, SIGKILL);
		while (waitpid(vm->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (vm->said >= 0)
		close(vm->said);
	vm->pid = 0;
	vm->said = -1;
}

void ivp_bench_vm_remove(struct ivp_bench_vm *vm)
{
	const char *const files[] = {vm->root, vm->memory, vm->console, vm->out, vm->complaints};

	if (!vm->directory[0])
		return;
	ivp_bench_devices_remove(&vm->devices);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(files[i]);
	rmdir(vm->directory);
	vm->directory[0] = '\0';
}
