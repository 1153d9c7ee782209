// SPDX-License-Identifier: MIT
/*
 * Has a running kernel start another, without the firmware in between: devices are shut down, and nothing else is.
 *
 *   kexec KERNEL INITRAMFS APPEND       "going", and then another kernel runs; exit status 77 where this kernel cannot
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int kernel, initramfs;

	if (argc != 4)
		return 2;
	kernel = open(argv[1], O_RDONLY);
	initramfs = open(argv[2], O_RDONLY);
	if (kernel < 0 || initramfs < 0) {
		perror("kernel or initramfs");
		return 1;
	}
	if (syscall(SYS_kexec_file_load, kernel, initramfs, strlen(argv[3]) + 1, argv[3], 0UL)) {
		perror("kexec_file_load");
		return errno == ENOSYS ? 77 : 1;
	}
	if (write(1, "going\n", 6) != 6)
		return 1;
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	perror("reboot");
	return 1;
}
