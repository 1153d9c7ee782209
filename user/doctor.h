/* SPDX-License-Identifier: MIT */
/*
 * doctor: what is wrong with a machine's regions, the evidence, and what mends it. A check is a row of a table: a number for ever,
 * and a function that looks at one thing. All of them look below a root that a test can replace, and change nothing.
 */
#ifndef IVP_DOCTOR_H
#define IVP_DOCTOR_H

#include "qemu.h"
#include "ivpipe.h"

#define IVP_FINDINGS 48
#define IVP_QEMUS    32

/* What --fix may do. */
enum ivp_mend {
	IVP_MEND_TELL,  /* nothing: it is for the user to judge */
	IVP_MEND_RUN,   /* run the words in `run` */
	IVP_MEND_WRITE, /* write `value` to the file `path` */
	IVP_MEND_MODE,  /* give the file at `path`, if it is still that inode, `mode` */
};

struct ivp_doctor;
struct ivp_finding;

enum ivp_about {
	IVP_ABOUT_MACHINE,
	IVP_ABOUT_DEVICE, /* a PCI device, with or without a node */
	IVP_ABOUT_FILE,   /* the memory of a virtual machine, or of processes, as the host has it */
	IVP_ABOUT_QEMU,   /* a process that has a device */
	IVP_ABOUT_REGION, /* any of them that has a path */
};

struct ivp_check {
	int number;
	enum ivp_about about;
	enum ivp_failure code; /* what it does to the exit code; IVP_FAIL_NONE: a note */
	const char *title;
	bool (*look)(struct ivp_doctor *doctor, struct ivp_finding *finding);
};

struct ivp_finding {
	const struct ivp_check *check;
	enum ivp_failure code;
	char subject[IVP_TREE_PATH], evidence[IVP_TEXT_MAX], remedy[IVP_TEXT_MAX];
	enum ivp_mend mend;
	const char *const *run;
	char path[IVP_TREE_PATH], value[32];
	uint64_t inode;
	uint32_t mode;
};

/* Bytes per second of the best of some small pieces; 0: not measured. */
struct ivp_speed {
	uint64_t private, read, write;
};

struct ivp_doctor {
	const char *root, *wanted; /* "" and what -r says, or NULL */
	struct ivp_found *regions;
	struct ivp_speed *speeds; /* one for each */
	size_t region_count;
	struct ivp_qemu qemus[IVP_QEMUS];
	size_t qemu_count;
	const struct ivp_found *region; /* what the check is about */
	const struct ivp_qemu *qemu;
	struct ivp_finding findings[IVP_FINDINGS];
	size_t count;
	char unseen[IVP_TEXT_MAX]; /* what could not be looked at, and by root could; "" */
};

/* 0, or -ENOMEM. */
int ivp_doctor_run(struct ivp_doctor *doctor, struct ivp_error *err);
void ivp_doctor_free(struct ivp_doctor *doctor);

/* The exit code. No region or device is worse than no permission, and that worse than any other fault. */
enum ivp_failure ivp_doctor_code(const struct ivp_doctor *doctor);

/* doctor_mend.c: do what the finding has. 0 or -errno. */
int ivp_doctor_mend(const struct ivp_finding *finding);

/* For the checks. */
void ivp_finding_evidence(struct ivp_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ivp_finding_remedy(struct ivp_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* It is safe: the remedy is this command, which --fix runs. Static words, and NULL. */
void ivp_finding_run(struct ivp_finding *finding, const char *const *words);
void ivp_finding_write(struct ivp_finding *finding, const char *value, const char *path);
void ivp_doctor_unseen(struct ivp_doctor *doctor, const char *path);
bool ivp_doctor_in_group(uint32_t gid);

/* Ended by a row with the number 0. */
extern const struct ivp_check ivp_doctor_host[], ivp_doctor_guest[], ivp_doctor_module[], ivp_doctor_memory[];

/* doctor_module.c: is there one for the kernel that runs, and which is that? */
#define IVP_RELEASE 96
bool ivp_doctor_has_module(const struct ivp_doctor *doctor, char release[IVP_RELEASE]);

#endif
