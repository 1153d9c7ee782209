// SPDX-License-Identifier: MIT
/*
 * The rules of /dev/ivshmemN: INFO, read, write, lseek, stat, and mmap with its refusals. Runs inside a guest, on any size
 * of memory, and writes all over it.  Usage: mmap /dev/ivshmem0
 *
 * Where tests/device/pte/pte.ko is loaded, the page table itself is asked for the type of the mapping.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ivshmem.h>

#include "tap.h"

#define PAGE 4096L
#define MIB  (1L << 20)

static const char *node;
static int fd;
static struct ivshmem_info info;
static off_t size;

static void *map(size_t len, int prot, int flags, off_t offset)
{
	return mmap(NULL, len, prot, flags, fd, offset);
}

static bool refused(size_t len, int prot, int flags, off_t offset, int err)
{
	return FAILS(map(len, prot, flags, offset), err);
}

/* A byte that tells its place, also modulo a page and a window. */
static unsigned char at(off_t pos)
{
	return pos ^ pos >> 8 ^ pos >> 16 ^ pos >> 24;
}

/* ---- INFO ---- */

static bool get_info(int file, struct ivshmem_info *i)
{
	memset(i, 0, sizeof(*i));
	i->argsz = sizeof(*i);
	return ioctl(file, IVSHMEM_IOC_INFO, i) == 0;
}

static void test_info(void)
{
	struct ivshmem_info i;
	struct stat st;
	char name[32];

	tap_ok(get_info(fd, &info), "INFO answers");
	size = info.size;
	snprintf(name, sizeof(name), "ivshmem%u", info.index);
	tap_ok(strstr(node, name), "INFO tells the number of the node");
	tap_ok(strlen(info.slot) == 12 && info.slot[4] == ':', "INFO tells the PCI address");
	tap_ok(info.argsz == sizeof(info) && !info.flags && !info.reserved[0], "INFO clears what it does not use");
	tap_ok(lseek(fd, 0, SEEK_END) == size, "SEEK_END is the size");
	tap_ok(fstat(fd, &st) == 0 && st.st_size == size, "fstat tells the size");
	tap_ok(stat(node, &st) == 0 && st.st_size == size, "stat tells the size");
	i = info;
	i.flags = 1;
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_INFO, &i), EINVAL), "INFO with a flag: EINVAL");
	memset(&i, 0, sizeof(i));
	i.argsz = sizeof(i);
	i.reserved[3] = 1;
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_INFO, &i), EINVAL), "INFO with a reserved field: EINVAL");
}

static void test_info_argsz(void)
{
	struct {
		struct ivshmem_info i;
		uint64_t tail;
	} big = {.i.argsz = sizeof(big)};
	unsigned int cmd = _IOWR(IVSHMEM_IOC_MAGIC, 0, typeof(big));
	struct ivshmem_info i = {.argsz = IVSHMEM_INFO_SIZE_V1 - 1};

	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_INFO, &i), EINVAL), "INFO with a small argsz: EINVAL");
	i.argsz = 0;
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_INFO, &i), EINVAL), "INFO with argsz 0: EINVAL");
	i.argsz = ~0U;
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_INFO, &i), EINVAL), "INFO with a huge argsz: EINVAL");
	tap_ok(ioctl(fd, cmd, &big) == 0 && big.i.size == info.size && big.i.argsz == sizeof(i),
	       "INFO of a newer program");
	big.i = (struct ivshmem_info){.argsz = sizeof(big)};
	big.tail = 1;
	tap_ok(FAILS(ioctl(fd, cmd, &big), EINVAL), "INFO of a newer program that asks for more: EINVAL");
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_INFO, NULL), EFAULT), "INFO nowhere: EFAULT");
	tap_ok(FAILS(ioctl(fd, _IO(IVSHMEM_IOC_MAGIC, 0x1f), 0), ENOTTY), "an unknown command: ENOTTY");
}

static void test_info_read_only(void)
{
	int ro = open(node, O_RDONLY);
	struct ivshmem_info i;

	tap_ok(get_info(ro, &i) && !memcmp(&i, &info, sizeof(i)), "INFO needs no write access");
	tap_ok(FAILS(write(ro, "", 1), EBADF), "a read-only open does not write: EBADF");
	close(ro);
}

#ifdef __x86_64__
/* A 32-bit program's ioctl: the old gate takes 32-bit arguments from 64-bit programs, too. */
static int ioctl32(int file, unsigned int cmd, void *arg)
{
	int ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(54), "b"(file), "c"(cmd), "d"(arg)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static void test_info_compat(void)
{
	struct ivshmem_info *i =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int status;
	pid_t pid = fork();

	if (!pid) {
		i->argsz = sizeof(*i);
		_exit(ioctl32(fd, IVSHMEM_IOC_INFO, i) == 0 && !memcmp(i, &info, sizeof(*i)) ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		tap_skip("INFO of a 32-bit program", "no CONFIG_IA32_EMULATION");
	else
		tap_ok(status == 0, "INFO of a 32-bit program");
	munmap(i, PAGE);
}
#endif

/* ---- read, write, lseek ---- */

static void test_ends(void)
{
	char buf[64], *nowhere = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	tap_ok(pread(fd, buf, 64, size - 10) == 10, "a read ends at the size");
	tap_ok(pread(fd, buf, 64, size) == 0, "a read at the size: 0");
	tap_ok(pread(fd, buf, 64, INT64_MAX - 4096) == 0, "a read far behind it: 0");
	tap_ok(pwrite(fd, buf, 64, size - 10) == 10, "a write ends at the size");
	tap_ok(FAILS(pwrite(fd, buf, 1, size), ENOSPC), "a write at the size: ENOSPC");
	tap_ok(pwrite(fd, buf, 0, size) == 0, "a write of nothing at the size: 0");
	tap_ok(FAILS(pread(fd, buf, 1, -1), EINVAL), "a read at -1: EINVAL");
	tap_ok(FAILS(lseek(fd, size + 1, SEEK_SET), EINVAL), "a seek past the size: EINVAL");
	tap_ok(FAILS(lseek(fd, -1, SEEK_SET), EINVAL), "a seek before 0: EINVAL");
	tap_ok(lseek(fd, -1, SEEK_END) == size - 1 && read(fd, buf, 64) == 1 && lseek(fd, 0, SEEK_CUR) == size,
	       "read moves the position");
	tap_ok(FAILS(pread(fd, nowhere, 64, 0), EFAULT), "a read to nowhere: EFAULT");
	tap_ok(FAILS(pwrite(fd, nowhere, 64, 0), EFAULT), "a write from nowhere: EFAULT");
	mprotect(nowhere, PAGE, PROT_READ | PROT_WRITE);
	munmap(nowhere + PAGE, PAGE);
	tap_ok(pread(fd, nowhere + PAGE - 33, 64, 1) == 33, "a read into memory that ends: what fits");
	tap_ok(pwrite(fd, nowhere + PAGE - 33, 64, 1) == 33, "a write of memory that ends: what there is");
	munmap(nowhere, PAGE);
}

/* Odd places and lengths, over pages and over the driver's windows. */
static void test_bytes(void)
{
	size_t len = size < 3 * MIB ? size - 2 : 3 * MIB - 12345;
	unsigned char *out = malloc(len), *in = malloc(len);
	size_t i;

	for (i = 0; i < len; i++)
		out[i] = at(i);
	tap_ok(pwrite(fd, out, len, 1) == (ssize_t)len, "a long write");
	tap_ok(pread(fd, in, len, 1) == (ssize_t)len && !memcmp(in, out, len), "reads back the same");
	tap_ok(pread(fd, in, 5, len / 2) == 5 && !memcmp(in, out + len / 2 - 1, 5), "and a part of it");
	free(out);
	free(in);
}

static void test_poll(void)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

	tap_ok(poll(&p, 1, 0) == 0, "poll: nothing happens to a living device");
	tap_ok(fsync(fd) == 0, "fsync succeeds");
}

/* ---- mmap ---- */

static void test_refusals(void)
{
	const int rw = PROT_READ | PROT_WRITE;

	tap_ok(refused(PAGE, rw, MAP_PRIVATE, 0, EINVAL), "private: EINVAL");
	tap_ok(refused(PAGE, PROT_READ, MAP_PRIVATE, 0, EINVAL), "private and read-only: EINVAL");
	tap_ok(refused(PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, 0, EPERM), "executable: EPERM");
	tap_ok(refused(size + PAGE, rw, MAP_SHARED, 0, EINVAL), "a page more than there is: EINVAL");
	tap_ok(refused(PAGE, rw, MAP_SHARED, size, EINVAL), "at the end: EINVAL");
	tap_ok(refused(2 * PAGE, rw, MAP_SHARED, size - PAGE, EINVAL), "over the end: EINVAL");
	tap_ok(refused(PAGE, rw, MAP_SHARED, 1L << 40, EINVAL), "far behind the end: EINVAL");
	/* A window whose end wraps: the core answers, or we do. */
	tap_ok(map(2 * PAGE, rw, MAP_SHARED, -PAGE) == MAP_FAILED, "an offset that wraps fails");
	tap_ok(map(PAGE, rw, MAP_SHARED, INT64_MAX - PAGE + 1) == MAP_FAILED, "the greatest offset fails");
	tap_ok(refused(PAGE, rw, MAP_SHARED, 1, EINVAL), "between pages: EINVAL");
	tap_ok(refused(0, rw, MAP_SHARED, 0, EINVAL), "no length: EINVAL");
}

static void test_protection(void)
{
	int ro = open(node, O_RDONLY);
	char *p = map(PAGE, PROT_READ, MAP_SHARED, 0);

	tap_ok(FAILS(mprotect(p, PAGE, PROT_READ | PROT_EXEC), EACCES), "mprotect to executable: EACCES");
	tap_ok(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0 && (p[0] = 1), "mprotect to writable");
	tap_ok(FAILS(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT), "growth by mremap: EFAULT");
	tap_ok(FAILS(mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE), EFAULT), "growth by a copying mremap: EFAULT");
	munmap(p, PAGE);
	tap_ok(FAILS(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, ro, 0), EACCES), "writable of a read-only open: EACCES");
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	tap_ok(p != MAP_FAILED && p[0] == 1, "read-only of a read-only open");
	tap_ok(FAILS(mprotect(p, PAGE, PROT_READ | PROT_WRITE), EACCES), "and it stays read-only: EACCES");
	munmap(p, PAGE);
	close(ro);
}

/* Each page is written by one way and read by the other. */
static void test_whole(void)
{
	volatile uint64_t *p = map(size, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	off_t step = size > 256 * MIB ? 257 * PAGE : PAGE;
	uint64_t word;
	bool good = p != MAP_FAILED;
	off_t pos;

	tap_ok(good, "the whole memory maps");
	for (pos = 0; good && pos < size; pos += step)
		p[pos / 8] = pos * 3 + 1;
	for (pos = 0; good && pos < size; pos += step)
		good = pread(fd, &word, 8, pos) == 8 && word == (uint64_t)pos * 3 + 1;
	tap_ok(good, "read sees what a mapping wrote");
	word = 42;
	tap_ok(pwrite(fd, &word, 8, size - 8) == 8 && p[size / 8 - 1] == 42,
	       "a mapping sees what write wrote, in the last word");
	munmap((void *)p, size);
}

static void test_window(void)
{
	off_t offset = size / 2 / PAGE * PAGE, len = size - offset < 3 * PAGE ? PAGE : 3 * PAGE;
	uint64_t word = 0x1122334455667788;
	volatile uint64_t *p;

	pwrite(fd, &word, 8, offset + len - 8);
	p = map(len, PROT_READ | PROT_WRITE, MAP_SHARED, offset);
	tap_ok(p != MAP_FAILED && p[len / 8 - 1] == word, "a window shows its own bytes");
	munmap((void *)p, len);
}

/* A fault that finds parts of its surroundings there already. */
static void test_holes(void)
{
	off_t len = size > 8 * MIB ? 8 * MIB : size, pos;
	volatile uint64_t *p = map(len, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	bool good = true;

	for (pos = 0; pos < len; pos += PAGE)
		p[pos / 8] = pos;
	for (pos = 0; pos < len; pos += (1 + pos / PAGE % 5) * PAGE)
		madvise((char *)p + pos, PAGE, MADV_DONTNEED);
	for (pos = len - PAGE; pos >= 0; pos -= PAGE)
		good = good && p[pos / 8] == (uint64_t)pos;
	tap_ok(good, "faults among pages that are there");
	munmap((void *)p, len);
}

static void test_unmap_middle(void)
{
	volatile uint64_t *p;

	if (size < 4 * PAGE) {
		tap_skip("the rest of a split mapping", "too small a memory");
		return;
	}
	p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	munmap((char *)p + PAGE, PAGE);
	p[3 * PAGE / 8] = 7;
	pread(fd, (void *)p, 8, 3 * PAGE);
	tap_ok(p[0] == 7, "the rest of a split mapping shows the same bytes");
	munmap((void *)p, 4 * PAGE);
}

static void test_fork(void)
{
	volatile uint64_t *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	int status;
	pid_t pid;

	p[1] = 5;
	pid = fork();
	if (!pid) {
		p[2] = p[1] + 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	tap_ok(status == 0 && p[2] == 6, "a child shares the mapping");
	munmap((void *)p, PAGE);
}

/* The driver must not lock against itself: source or target of the copy is a page of the device that is not there yet. */
static void test_self(void)
{
	char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	pwrite(fd, "abcdefgh", 8, 0);
	tap_ok(pread(fd, p + 64, 8, 0) == 8 && !memcmp(p + 64, "abcdefgh", 8),
	       "read into a mapping of the same memory");
	madvise(p, PAGE, MADV_DONTNEED);
	tap_ok(pwrite(fd, p + 66, 4, 128) == 4 && !memcmp(p + 128, "cdef", 4), "write from one");
	munmap(p, PAGE);
}

static void test_ring(void)
{
	off_t half = size / 2;
	char *p;

	if (half < PAGE) {
		tap_skip("twice in a row", "too small a memory");
		return;
	}
	half = half > MIB ? MIB : half;
	p = map(2 * half, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	mmap(p + half, half, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	p[half] = 0;
	p[0] = 9;
	tap_ok(p[half] == 9, "twice in a row");
	munmap(p, 2 * half);
}

static void *touch_all(void *p)
{
	off_t pos;

	for (pos = 0; pos < size && pos < 64 * MIB; pos += PAGE)
		__atomic_fetch_add((uint64_t *)((char *)p + pos), 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void test_threads(void)
{
	uint64_t *p = map(size, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	pthread_t t[4];
	uint64_t last;
	int i;

	off_t end = (size < 64 * MIB ? size : 64 * MIB) - PAGE;

	memset((char *)p + end, 0, 8);
	madvise(p, size, MADV_DONTNEED);
	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, touch_all, p);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	pread(fd, &last, 8, end);
	tap_ok(last == 4, "four threads fault on the same pages");
	munmap(p, size);
}

static void test_pages(void)
{
	char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0), got[8] = "";
	struct iovec v = {.iov_base = p, .iov_len = 8};
	int pipes[2];

	memcpy(p, "vmsplice", 8);
	if (pipe(pipes))
		return;
	if (info.features & IVSHMEM_FEATURE_PAGES)
		tap_ok(vmsplice(pipes[1], &v, 1, 0) == 8 && read(pipes[0], got, 8) == 8 && !memcmp(got, p, 8),
		       "vmsplice, with struct pages");
	else
		tap_ok(FAILS(vmsplice(pipes[1], &v, 1, 0), EFAULT), "vmsplice, without struct pages: EFAULT");
	close(pipes[0]);
	close(pipes[1]);
	munmap(p, PAGE);
}

/* "dd": not in core dumps. "de": no growth. */
static void test_flags(void)
{
	char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0), line[256];
	FILE *f = fopen("/proc/self/smaps", "r");
	bool here = false, good = false;

	if (!f) {
		tap_skip("no core dump, no growth, never executable", "no /proc/self/smaps");
		munmap(p, PAGE);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, node))
			here = true;
		if (here && !strncmp(line, "VmFlags:", 8)) {
			good = strstr(line, " dd") && strstr(line, " de") && !strstr(line, " me");
			break;
		}
	}
	tap_ok(good, "no core dump, no growth, never executable");
	fclose(f);
	munmap(p, PAGE);
}

static void test_entry(void)
{
	static const char *const types[] = {"", "4K write-back\n", "4K write-combine\n", "4K uncached-minus\n"};
	volatile char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	int pte = open("/dev/pte", O_RDONLY);
	char text[32] = "";

	if (pte < 0) {
		tap_skip("the page table entry", "no /dev/pte");
	} else {
		p[0] = 1;
		pread(pte, text, sizeof(text) - 1, (off_t)p);
		printf("# entry: %s", text);
		tap_ok(!strcmp(text, types[info.cache]), "the page table entry has the type that INFO tells");
		close(pte);
	}
	munmap((void *)p, PAGE);
}

static void test_msync(void)
{
	char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	tap_ok(msync(p, PAGE, MS_SYNC) == 0, "msync succeeds");
	munmap(p, PAGE);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	node = argv[1];
	fd = open(node, O_RDWR);
	if (!tap_ok(fd >= 0, "opens"))
		return tap_end();
	test_info();
	test_info_argsz();
	test_info_read_only();
#ifdef __x86_64__
	test_info_compat();
#endif
	test_ends();
	test_bytes();
	test_poll();
	if (!(info.features & IVSHMEM_FEATURE_MMAP)) {
		tap_ok(info.cache == IVSHMEM_CACHE_NONE && info.cache_reason == IVSHMEM_REASON_SUBPAGE,
		       "INFO says why no mmap");
		tap_ok(refused(PAGE, PROT_READ, MAP_SHARED, 0, ENODEV), "mmap of less than a page: ENODEV");
		return tap_end();
	}
	test_refusals();
	test_protection();
	test_whole();
	test_window();
	test_holes();
	test_unmap_middle();
	test_fork();
	test_self();
	test_ring();
	test_threads();
	test_pages();
	test_flags();
	test_entry();
	test_msync();
	return tap_end();
}
