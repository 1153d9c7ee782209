// SPDX-License-Identifier: MIT
/* setup: the words for each hypervisor on standard output, and what people have to know besides on standard error. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "setup.h"

#define M (1024 * 1024)

/* As QEMU and we read it. */
static const char *size_word(const struct ivp_setup *setup, char word[24])
{
	if (setup->size % M)
		snprintf(word, 24, "%" PRIu64 "K", setup->size / 1024);
	else
		snprintf(word, 24, "%" PRIu64 "M", setup->size / M);
	return word;
}

/* Whoever is first makes the file: QEMU, and so libvirt, with the owner and mode of its own process. */
static void tell_file(const struct ivp_setup *setup)
{
	char size[24];

	if (!setup->applied)
		ivp_log_notice("setup: the file, before the machine starts: sudo ivpipe setup %s --name %s --size %s "
			       "--user %s "
			       "--apply",
			       setup->hypervisor, setup->name, size_word(setup, size), setup->user);
	ivp_log_notice("setup: and at each start of the host: echo 'f %s 0660 %s kvm -' | sudo tee "
		       "/etc/tmpfiles.d/10-ivpipe-%s.conf",
		       setup->path, setup->user, setup->name);
}

static void tell_selinux(const struct ivp_setup *setup)
{
	ivp_log_notice("setup: with SELinux, as on Fedora (and group qemu for kvm): sudo semanage fcontext -a -t "
		       "svirt_tmpfs_t "
		       "%s && sudo restorecon %s",
		       setup->path, setup->path);
}

static void arguments(const struct ivp_setup *setup)
{
	char size[24];

	printf("-object memory-backend-file,id=ivpipe-%s,mem-path=%s,size=%s,share=on -device "
	       "ivshmem-plain,memdev=ivpipe-%s",
	       setup->name, setup->path, size_word(setup, size), setup->name);
}

static void qemu(const struct ivp_setup *setup)
{
	arguments(setup);
	putchar('\n');
	tell_file(setup);
	tell_selinux(setup);
}

static void libvirt(const struct ivp_setup *setup)
{
	printf("<shmem name='%s'>\n  <model type='ivshmem-plain'/>\n  <size unit='MiB'>%" PRIu64 "</size>\n</shmem>\n",
	       setup->name, setup->size / M);
	ivp_log_notice("setup: virsh edit VM, inside <devices>; or, with that in a file: virsh attach-device VM FILE "
		       "--config");
	tell_file(setup);
	ivp_log_notice(
		"setup: AppArmor: libvirt 5.10 and later let this through; what stands in <qemu:commandline> needs a "
		"line in /etc/apparmor.d/local/abstractions/libvirt-qemu: %s rw,",
		setup->path);
	tell_selinux(setup);
}

static void proxmox(const struct ivp_setup *setup)
{
	printf("qm set VMID --ivshmem size=%" PRIu64 ",name=%s\n", setup->size / M, setup->name);
	ivp_log_notice("setup: VMID is the machine's number; the file is %s, goes when a machine that has it stops, "
		       "and hinders "
		       "live migration",
		       setup->path);
	tell_file(setup);
}

static void incus(const struct ivp_setup *setup)
{
	printf("incus config set %s raw.qemu='", setup->name);
	arguments(setup);
	printf("' raw.apparmor='%s rwk,'\n", setup->path);
	ivp_log_notice("setup: the instance is taken to be called %s; QEMU is an ordinary user there, and has to be "
		       "let into the "
		       "file",
		       setup->name);
	tell_file(setup);
}

const struct ivp_hypervisor *ivp_setup_find(const char *name)
{
	static const struct ivp_hypervisor all[] = {
		{"qemu", "/dev/shm/", 1, qemu},
		{"libvirt", "/dev/shm/", M, libvirt},
		{"proxmox", "/dev/shm/pve-shm-", M, proxmox},
		{"incus", "/dev/shm/", 1, incus},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i].name, name))
			return &all[i];
	return NULL;
}
