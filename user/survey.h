/* SPDX-License-Identifier: MIT */
/*
 * survey: what a machine has: devices, regions, files that QEMU has, who uses them, and two looks into each. Read-only: looking
 * changes nothing for those who use them, and what a region says of itself is shown and never followed.
 */
#ifndef IVP_SURVEY_H
#define IVP_SURVEY_H

#include <signal.h>

#include "holders.h"
#include "look.h"
#include "qemu.h"

/* Devices of virtual machines. */
#define IVP_SURVEY_QEMUS 64

struct ivp_survey {
	const char *root; /* as in tree.h */
	struct ivp_found *found;
	struct ivp_look *first, *second; /* as many; without lanes: not laid out, or not to be looked into */
	size_t count;
	struct ivp_qemu qemus[IVP_SURVEY_QEMUS];
	size_t places[IVP_SURVEY_QEMUS]; /* of each one's memory in `found` */
	size_t qemu_count;
	struct ivp_holders holders;
};

/* earlier: a survey of before, whose looks become the first ones of this, where they are of the same regions; or NULL: a pause
 * lies between the two then, if `pause` asks for it or somebody is seen who may live elsewhere. *cancel ends that pause. */
int ivp_survey_make(struct ivp_survey *survey, const char *root, struct ivp_survey *earlier, bool pause,
		    const volatile sig_atomic_t *cancel, struct ivp_error *err);
void ivp_survey_free(struct ivp_survey *survey);

/* How QEMU has the file of that name: "yes", "other" (one that had this name before), "deleted", "unknown" (not to be seen). */
const char *ivp_survey_mapped(const struct ivp_survey *survey, size_t qemu);
/* Is it a virtual machine that has this memory? */
bool ivp_survey_is_machine(const struct ivp_survey *survey, size_t place, int pid);

#endif
