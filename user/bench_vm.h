/* SPDX-License-Identifier: MIT */
/*
 * bench_vm: a guest for as long as it is measured: QEMU, a kernel that is there, and a first root that is made of this program and
 * its libraries. The guest's first process is this program again, which measures; its host's end is here.
 *
 * Serial lines of the guest: the kernel's console; the report; and what its first process says: UP, lines on standard error, and
 * CODE with a number.
 */
#ifndef IVP_BENCH_VM_H
#define IVP_BENCH_VM_H

#include "bench.h"
#include "bench_devices.h"
#include "cli.h"

#define IVP_BENCH_VM_MARK "IVPIPE_BENCH_GUEST=1"
#define IVP_BENCH_VM_UP   "up"
#define IVP_BENCH_VM_CODE "code "

struct ivp_bench_vm {
	const char *kernel;         /* --kernel, or NULL */
	const char *accel;          /* --accel, or NULL: KVM if it works */
	char directory[40];         /* "": there is none */
	char qemu[512], image[512]; /* what was found */
	char root[64], memory[64];  /* files in the directory */
	char console[64], out[64], complaints[64];
	uint64_t size;     /* of the memory */
	char options[256]; /* for the guest's bench */
	int pid;           /* QEMU's; 0: none */
	int said;          /* what its first process says */
	struct ivp_bench_devices devices;
};

/* bench_boot.c: find what is needed; make the directory with everything; start QEMU, which ends with us; take it all away. */
int ivp_bench_vm_find(struct ivp_bench_vm *vm, struct ivp_error *err);
int ivp_bench_vm_make(struct ivp_bench_vm *vm, struct ivp_error *err);
int ivp_bench_vm_start(struct ivp_bench_vm *vm, const char *accel, struct ivp_error *err);
void ivp_bench_vm_stop(struct ivp_bench_vm *vm);
void ivp_bench_vm_remove(struct ivp_bench_vm *vm);

/* bench_vm.c: all of it. bench gets what was measured. */
int ivp_bench_vm(struct ivp_cli *cli, struct ivp_bench *bench, struct ivp_error *err);

/* bench_guest.c: for process 1: returns in a child, with other arguments, if this is such a guest; and at once if it is none. */
void ivp_bench_guest(int *argc, char ***argv);
/* There: what such a guest has besides its memory; NULL: this is none. */
const struct ivp_bench_load *ivp_bench_guest_load(void);

#endif
