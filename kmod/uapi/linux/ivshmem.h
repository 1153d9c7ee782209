/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * /dev/ivshmemN: QEMU's inter-VM shared memory device (PCI 1af4:1110), as a file.
 *
 * The node *is* the shared memory (PCI BAR2 of the device):
 *
 *   mmap(2)   maps any page-aligned window inside it, MAP_SHARED only. Private is EINVAL, a window that does not fit
 *             EINVAL, PROT_EXEC EPERM (a later mprotect to PROT_EXEC EACCES), growth by mremap EFAULT. A memory that is
 *             smaller than a page, or does not end on one, cannot be mapped (ENODEV), for its last page would show the
 *             next device's registers; it can be read and written.
 *   read(2), write(2), lseek(2)  as on a file of fixed size: reads end at the size, a write at the end is ENOSPC.
 *   stat(2)   st_size is the size of the memory from the first open of the node on.
 *   ioctl(2)  the commands below.
 *
 * When the device goes (unplugged, unbound), mappings of it raise SIGBUS, every call answers ENODEV and the file stays
 * open until it is closed. A device that comes later, even at the same place, is reached by opening the node again.
 *
 * Structures have the same layout for 32-bit and 64-bit callers. A caller sets argsz to the size of the structure it was
 * compiled with, and clears everything else it does not set; an unknown flag or a reserved field that is not zero is
 * EINVAL, and so is an argsz above a page. The driver fills at most argsz bytes and does not look at the size that is
 * part of a command's number, so programs and drivers of different ages get along.
 */
#ifndef _UAPI_LINUX_IVSHMEM_H
#define _UAPI_LINUX_IVSHMEM_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define IVSHMEM_IOC_MAGIC 0xE9 /* 0xE9 00-1F */

/* ivshmem_info.model */
#define IVSHMEM_MODEL_PLAIN    1 /* memory only: nobody can interrupt anybody */
#define IVSHMEM_MODEL_DOORBELL 2 /* memory, doorbell register and MSI-X */

/* ivshmem_info.cache: how user mappings are cached */
#define IVSHMEM_CACHE_NONE          0 /* no mappings, read(2) and write(2) only */
#define IVSHMEM_CACHE_WRITE_BACK    1 /* ordinary cached memory: as fast as it gets */
#define IVSHMEM_CACHE_WRITE_COMBINE 2 /* writes are gathered, reads are slow; fence before and after publishing */
#define IVSHMEM_CACHE_UNCACHED      3 /* never granted silently: only where nothing else can be had */

/* ivshmem_info.cache_reason: why not better */
#define IVSHMEM_REASON_NONE       0 /* the best there is */
#define IVSHMEM_REASON_SMALL      1 /* struct pages need 2 MiB alignment and size */
#define IVSHMEM_REASON_DIRECT_MAP 2 /* the memory lies beyond the kernel's direct map */
#define IVSHMEM_REASON_NO_MEMORY  3 /* the guest had no RAM for the struct pages (1/64 of the size) */
#define IVSHMEM_REASON_NO_PAGES   4 /* this kernel makes no struct pages for devices (CONFIG_ZONE_DEVICE) */
#define IVSHMEM_REASON_SUBPAGE    5 /* smaller than a page, or not a multiple of one */
#define IVSHMEM_REASON_PARAMETER  6 /* a module parameter asked for it */
#define IVSHMEM_REASON_REFUSED    7 /* the kernel refused struct pages for another cause, named in its log */

/* ivshmem_info.features */
#define IVSHMEM_FEATURE_MMAP  (1ULL << 0) /* mmap(2) works */
#define IVSHMEM_FEATURE_PAGES (1ULL << 1) /* mappings have struct pages: O_DIRECT and vmsplice(2) work on them */

#define IVSHMEM_SLOT_MAX 32

/*
 * IVSHMEM_IOC_INFO: what this device is. Needs no write access. EINVAL: argsz below the first version's size
 * (IVSHMEM_INFO_SIZE_V1), or flags or a reserved field not zero. ENODEV: the device has gone.
 */
struct ivshmem_info {
	__u32 argsz;                 /* in: sizeof the caller's structure; out: the size this driver knows */
	__u32 flags;                 /* in: 0; out: 0 */
	__u64 size;                  /* bytes of shared memory, 1 KiB and up */
	__u64 features;              /* IVSHMEM_FEATURE_ */
	__u32 model;                 /* IVSHMEM_MODEL_ */
	__u32 cache;                 /* IVSHMEM_CACHE_ */
	__u32 cache_reason;          /* IVSHMEM_REASON_ */
	__u32 ivposition;            /* this VM's peer id, 0 to 65535; on plain devices always 0 */
	__u32 vectors;               /* MSI-X vectors the device offers; 0 on plain devices */
	__u32 index;                 /* the N of /dev/ivshmemN */
	char slot[IVSHMEM_SLOT_MAX]; /* PCI address, such as 0000:00:04.0, NUL-terminated */
	__u64 reserved[4];           /* in: 0; out: 0 */
};
#define IVSHMEM_INFO_SIZE_V1 112
#define IVSHMEM_IOC_INFO     _IOWR(IVSHMEM_IOC_MAGIC, 0x00, struct ivshmem_info)

#endif /* _UAPI_LINUX_IVSHMEM_H */
