// SPDX-License-Identifier: MIT
/* doctor_guest: devices, who drives them, and who may open their nodes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define DRIVER "ivshmem"

static const char *const load_module[] = {"modprobe", DRIVER, NULL};
static const char *const apply_rule[] = {"udevadm", "trigger", "--settle", "-s", "ivshmem", NULL};

static const char *attribute(const struct ivp_doctor *doctor, const char *name, char path[IVP_TREE_PATH])
{
	return ivp_tree_path(path, doctor->root, "sys/bus/pci/devices/%s/%s", doctor->region->slot, name);
}

static bool is_ours(const struct ivp_found *device)
{
	return !strcmp(device->driver, DRIVER);
}

static bool no_address(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char path[IVP_TREE_PATH], line[80];

	/* The third line is BAR2's: start, end, flags. */
	if (!ivp_tree_line(attribute(doctor, "resource", path), 2, line, sizeof(line)) || strtoull(line, NULL, 16))
		return false;
	ivp_finding_evidence(finding, "%s: %s", path, line);
	ivp_finding_remedy(finding,
			   "on the host: -device pcie-root-port,pref64-reserve=N for the port, N at least twice "
			   "the memory; or have the device there when the machine starts");
	return true;
}

static bool is_loaded(const struct ivp_doctor *doctor)
{
	return ivp_tree_there(doctor->root, "sys/module/" DRIVER);
}

/* Where there is no module for this kernel, another check says so. */
static bool not_loaded(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char release[IVP_RELEASE];

	if (doctor->region->driver[0] || is_loaded(doctor) || !ivp_doctor_has_module(doctor, release))
		return false;
	ivp_finding_evidence(finding, "%s/sys/module/" DRIVER ": not there", doctor->root);
	ivp_finding_run(finding, load_module);
	return true;
}

/* Kept for another driver, which is not there (yet): whoever did that has to undo it. */
static bool is_reserved(const struct ivp_doctor *doctor, char name[32])
{
	char path[IVP_TREE_PATH];

	return ivp_tree_line(attribute(doctor, "driver_override", path), 0, name, 32) && *name &&
	       strcmp(name, "(null)") && strcmp(name, DRIVER);
}

static bool not_bound(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char path[IVP_TREE_PATH], other[IVP_TREE_PATH], name[32];

	if (doctor->region->driver[0] || !is_loaded(doctor))
		return false;
	if (is_reserved(doctor, name)) {
		ivp_finding_evidence(finding, "%s: %s", attribute(doctor, "driver_override", path), name);
		ivp_finding_remedy(finding, "echo | sudo tee %s; echo %s | sudo tee %s", path, doctor->region->slot,
				   ivp_tree_path(other, doctor->root, "sys/bus/pci/drivers_probe"));
		return true;
	}
	ivp_finding_evidence(finding, "%s: not there", attribute(doctor, "driver", path));
	ivp_finding_write(finding, doctor->region->slot,
			  ivp_tree_path(path, doctor->root, "sys/bus/pci/drivers_probe"));
	return true;
}

static bool another_driver(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char path[IVP_TREE_PATH], directory[IVP_TREE_PATH];
	const char *slot = doctor->region->slot;

	if (!doctor->region->driver[0] || is_ours(doctor->region))
		return false;
	ivp_finding_evidence(finding, "%s: %s", attribute(doctor, "driver", path), doctor->region->driver);
	ivp_tree_path(directory, doctor->root, "sys/bus/pci");
	ivp_finding_remedy(finding,
			   "if nobody uses it: sudo sh -c 'cd %s; echo " DRIVER
			   " > devices/%s/driver_override; echo %s > "
			   "devices/%s/driver/unbind; modprobe " DRIVER "; echo %s > drivers_probe'",
			   directory, slot, slot, slot, slot);
	return true;
}

/* The command register, which everybody may read. What does not answer reads as ones, and is about to go. */
static bool decode_off(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char path[IVP_TREE_PATH];
	unsigned char config[6] = {0};
	int fd = open(attribute(doctor, "config", path), O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? pread(fd, config, sizeof(config), 0) : 0;

	if (fd >= 0)
		close(fd);
	if (len != sizeof(config) || config[4] & 2)
		return false;
	ivp_finding_evidence(finding, "%s: command %02x%02x, without bit 1: the memory reads 0xff", path, config[5],
			     config[4]);
	if (doctor->region->driver[0])
		ivp_finding_remedy(finding, "sudo setpci -s %s COMMAND=2:2", doctor->region->slot);
	else
		ivp_finding_write(finding, "1", attribute(doctor, "enable", path));
	return true;
}

static bool no_node(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_found *device = doctor->region;
	char path[IVP_TREE_PATH], number[16];

	if (device->backing != IVP_BACKING_NODE || !access(device->path, F_OK) || errno != ENOENT)
		return false;
	ivp_tree_path(path, doctor->root, "sys/class/ivshmem/%s/dev", strrchr(device->path, '/') + 1);
	ivp_tree_line(path, 0, number, sizeof(number));
	ivp_finding_evidence(finding, "%s: not there; %s: %s", device->path, path, number);
	ivp_finding_remedy(finding, "sudo udevadm trigger -s ivshmem; in a container let %s in when it is made",
			   device->path);
	return true;
}

static bool has_rule(const struct ivp_doctor *doctor)
{
	static const char *const places[] = {"etc", "run", "usr/local/lib", "usr/lib", "lib"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (ivp_tree_there(doctor->root, "%s/udev/rules.d/70-ivshmem.rules", places[i]))
			return true;
	return false;
}

static void say_mode(const struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_found *node = doctor->region;
	char user[32], group[32];

	ivp_finding_evidence(finding, "%s: mode %04o, owner %s:%s; udev rule: %s", node->path, node->mode,
			     ivp_tree_name(doctor->root, "passwd", node->uid, user),
			     ivp_tree_name(doctor->root, "group", node->gid, group),
			     has_rule(doctor) ? "there" : "70-ivshmem.rules not there");
}

static bool node_denied(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_found *node = doctor->region;
	char group[32];

	if (node->backing != IVP_BACKING_NODE || !faccessat(AT_FDCWD, node->path, R_OK | W_OK, AT_EACCESS) ||
	    errno != EACCES)
		return false;
	say_mode(doctor, finding);
	if ((node->mode & 0060) == 0060 && node->gid && !ivp_doctor_in_group(node->gid))
		ivp_finding_remedy(finding, "sudo adduser $USER %s, and log in again",
				   ivp_tree_name(doctor->root, "group", node->gid, group));
	else if (has_rule(doctor))
		ivp_finding_run(finding, apply_rule);
	else
		ivp_finding_remedy(finding, "sudo make install (the udev rule), then: sudo udevadm trigger -s ivshmem");
	return true;
}

/* It works for root, who may not notice; and a mode for everybody is nobody's wish. */
static bool node_mode(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_found *node = doctor->region;
	int64_t kvm = ivp_tree_id(doctor->root, "group", "kvm");

	if (node->backing != IVP_BACKING_NODE || access(node->path, F_OK) ||
	    ((node->mode & 0777) == 0660 && (kvm < 0 || node->gid == kvm)))
		return false;
	say_mode(doctor, finding);
	if (has_rule(doctor))
		ivp_finding_run(finding, apply_rule);
	else
		ivp_finding_remedy(finding, "sudo make install (the udev rule), then: sudo udevadm trigger -s ivshmem");
	return true;
}

static bool no_devices(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const char *path = doctor->region->path + strlen(doctor->root);

	if (doctor->region->backing != IVP_BACKING_NODE || !ivp_tree_mounted(doctor->root, path, "nodev"))
		return false;
	ivp_finding_evidence(finding, "%s/proc/self/mounts: %s lies on a mount with nodev", doctor->root, path);
	ivp_finding_remedy(finding, "sudo mount -o remount,dev /dev; in a container let %s in when it is made", path);
	return true;
}

/* Sysfs refuses its mapping then, and the kernel a module that nobody signed. */
static bool locked_down(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char path[IVP_TREE_PATH], text[64];
	bool locked;

	ivp_tree_path(path, doctor->root, "sys/kernel/security/lockdown");
	locked = ivp_tree_line(path, 0, text, sizeof(text)) && strchr(text, '[') && !strstr(text, "[none]");
	if (!locked) {
		ivp_tree_path(path, doctor->root, "sys/module/module/parameters/sig_enforce");
		locked = ivp_tree_line(path, 0, text, sizeof(text)) && text[0] == 'Y';
	}
	if (!locked || is_ours(doctor->region))
		return false;
	ivp_finding_evidence(finding, "%s: %s", path, text);
	ivp_finding_remedy(finding,
			   "sudo mokutil --import /var/lib/dkms/mok.pub, reboot and enrol it; then modprobe ivshmem");
	return true;
}

const struct ivp_check ivp_doctor_guest[] = {
	{30, IVP_ABOUT_DEVICE, IVP_FAIL_NO_REGION, "the memory has no address: the port's window is too small",
	 no_address},
	{31, IVP_ABOUT_DEVICE, IVP_FAIL_NO_REGION, "the module is not loaded", not_loaded},
	{32, IVP_ABOUT_DEVICE, IVP_FAIL_NO_REGION, "the device has no driver", not_bound},
	{33, IVP_ABOUT_DEVICE, IVP_FAIL_NO_REGION, "another driver has the device", another_driver},
	{34, IVP_ABOUT_DEVICE, IVP_FAIL_NO_REGION, "the device's memory is switched off", decode_off},
	{35, IVP_ABOUT_DEVICE, IVP_FAIL_NO_REGION, "the node is missing", no_node},
	{36, IVP_ABOUT_DEVICE, IVP_FAIL_PERMISSION, "your user may not open the node", node_denied},
	{37, IVP_ABOUT_DEVICE, IVP_FAIL_GENERAL, "the node has another mode than udev's rule gives", node_mode},
	{38, IVP_ABOUT_DEVICE, IVP_FAIL_PERMISSION, "devices are forbidden where the node lies", no_devices},
	{39, IVP_ABOUT_DEVICE, IVP_FAIL_PERMISSION, "the kernel takes signed drivers alone", locked_down},
	{0},
};
