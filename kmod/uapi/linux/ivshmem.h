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
 *   poll(2)   readable once a watched word has changed (IVSHMEM_IOC_WATCH).
 *   ioctl(2)  the commands below.
 *
 * Waiting is a futex that crosses the border of the virtual machine. A word is an aligned 32-bit number in the memory, in
 * the byte order of the machine, that one side counts up to say that something changed. Whoever waits names the value that
 * it has seen (IVSHMEM_IOC_WAIT, or IVSHMEM_IOC_WATCH and poll) and goes on when the word has another. Nothing is lost
 * between looking and sleeping: the driver puts the waiter on its list first and looks at the word afterwards. Who changes
 * a word and has a waiter on this kernel says so with IVSHMEM_IOC_WAKE, and the waiter goes on at once. Nobody says so
 * when another machine changes it. Then a doorbell device wakes by its interrupt, if the other side rings; and always the
 * driver looks for its waiters by a timer, at short intervals while words keep changing and at longer ones the longer
 * nothing has, up to the module parameter poll_max_us. It looks only while somebody waits, or watches a word that has not
 * changed yet. Where interrupts wake, it looks rarely: ten times a second. A waiter that wants it otherwise says so by
 * poll_us. Nobody need ring or wake for each message: who sleeps can say so in the memory, and be woken only then.
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
#define IVSHMEM_FEATURE_MMAP      (1ULL << 0) /* mmap(2) works */
#define IVSHMEM_FEATURE_PAGES     (1ULL << 1) /* mappings have struct pages: O_DIRECT and vmsplice(2) work on them */
#define IVSHMEM_FEATURE_WAIT      (1ULL << 2) /* WAIT, WAKE and WATCH */
#define IVSHMEM_FEATURE_DOORBELL  (1ULL << 3) /* RING, and WAKE with IVSHMEM_WAKE_RING */
#define IVSHMEM_FEATURE_INTERRUPT (1ULL << 4) /* EVENTFD; interrupts wake waiters */

#define IVSHMEM_SLOT_MAX 32

/*
 * The poll_us of waiters and watchers: the longest interval between two looks of the driver, in us. Between the module
 * parameter poll_min_us and this, intervals are 1/64 of the time since a word was last seen to change. 0 is the device's
 * own: poll_max_us, or with interrupts always 100 ms.
 */
#define IVSHMEM_POLL_NEVER 0xffffffffU /* no looks for its sake: woken by IVSHMEM_IOC_WAKE and by interrupts */

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
	__u32 vectors;               /* MSI-X vectors the device has, of which 256 can be rung; 0 on plain devices */
	__u32 index;                 /* the N of /dev/ivshmemN */
	char slot[IVSHMEM_SLOT_MAX]; /* PCI address, such as 0000:00:04.0, NUL-terminated */
	__u64 reserved[4];           /* in: 0; out: 0 */
};
#define IVSHMEM_INFO_SIZE_V1 112
#define IVSHMEM_IOC_INFO     _IOWR(IVSHMEM_IOC_MAGIC, 0x00, struct ivshmem_info)

/*
 * IVSHMEM_IOC_WAIT: sleep until the word at offset differs from expected. Needs no write access. 0: it differs, or
 * differed when the driver looked. ETIMEDOUT: it did not, up to the deadline. EINTR: a signal came; nothing is restarted.
 * EAGAIN: it does not differ, and the file is O_NONBLOCK. ENODEV: the device has gone. EINVAL: offset is not a multiple of
 * 4 or not inside the memory, argsz, a flag, a reserved field.
 */
struct ivshmem_wait {
	__u32 argsz;      /* in: sizeof the caller's structure */
	__u32 flags;      /* in: IVSHMEM_WAIT_ */
	__u64 offset;     /* in: of the word, in bytes from the start of the memory */
	__u32 expected;   /* in: the value that the caller has seen */
	__u32 poll_us;    /* in: see IVSHMEM_POLL_NEVER */
	__s64 timeout_ns; /* in: of CLOCK_MONOTONIC, from now on or (IVSHMEM_WAIT_ABSOLUTE) a time; negative: for ever */
	__u64 reserved;   /* in: 0 */
};
#define IVSHMEM_WAIT_ABSOLUTE (1U << 0)
#define IVSHMEM_WAIT_SIZE_V1  40
#define IVSHMEM_IOC_WAIT      _IOWR(IVSHMEM_IOC_MAGIC, 0x01, struct ivshmem_wait)

/*
 * IVSHMEM_IOC_WAKE: the caller has changed the word at offset; its waiters and watchers on this kernel look at it now, and
 * go on waiting if they find what they expect. Needs no write access. A full memory barrier: what was stored before is seen
 * by whoever looks. With IVSHMEM_WAKE_RING also as IVSHMEM_IOC_RING, and with its errors; these come before anything is
 * woken. EINVAL: offset, argsz, a flag, a reserved field, a peer or a vector without IVSHMEM_WAKE_RING. ENODEV: the device
 * has gone.
 */
struct ivshmem_wake {
	__u32 argsz;    /* in: sizeof the caller's structure */
	__u32 flags;    /* in: IVSHMEM_WAKE_ */
	__u64 offset;   /* in: of the word, in bytes from the start of the memory */
	__u32 peer;     /* in: whom to interrupt, 0 to 65535 */
	__u32 vector;   /* in: which of its vectors, 0 to 255 */
	__u64 reserved; /* in: 0 */
};
#define IVSHMEM_WAKE_RING    (1U << 0)
#define IVSHMEM_WAKE_SIZE_V1 32
#define IVSHMEM_IOC_WAKE     _IOWR(IVSHMEM_IOC_MAGIC, 0x02, struct ivshmem_wake)

/*
 * IVSHMEM_IOC_WATCH: poll(2), select(2) and epoll(7) find this open file readable (POLLIN) as soon as the word at offset
 * differs from expected, and from then on until it is armed again, even if the word should change back. One word for each
 * open file, which descriptors made by dup(2) or fork(2) share; arming again replaces it, and IVSHMEM_WATCH_OFF arms
 * nothing. Needs no write access. When the device goes, poll says POLLHUP and POLLERR. Errors: as IVSHMEM_IOC_WAIT's that
 * are not of waiting.
 */
struct ivshmem_watch {
	__u32 argsz;    /* in: sizeof the caller's structure */
	__u32 flags;    /* in: IVSHMEM_WATCH_ */
	__u64 offset;   /* in: of the word, in bytes from the start of the memory; 0 with IVSHMEM_WATCH_OFF */
	__u32 expected; /* in: the value that the caller has seen; 0 with IVSHMEM_WATCH_OFF */
	__u32 poll_us;  /* in: see IVSHMEM_POLL_NEVER */
	__u64 reserved; /* in: 0 */
};
#define IVSHMEM_WATCH_OFF     (1U << 0)
#define IVSHMEM_WATCH_SIZE_V1 32
#define IVSHMEM_IOC_WATCH     _IOWR(IVSHMEM_IOC_MAGIC, 0x03, struct ivshmem_watch)

/*
 * IVSHMEM_IOC_RING: write the doorbell register: interrupts the peer, if there is one with that number and vector; the
 * device tells nobody who is there. A peer may ring itself. Needs write access (EBADF). EOPNOTSUPP: a plain device.
 * EINVAL: a peer above 65535 or a vector above 255, of which the device would use the lower bits only; argsz, flags.
 */
struct ivshmem_ring {
	__u32 argsz;  /* in: sizeof the caller's structure */
	__u32 flags;  /* in: 0 */
	__u32 peer;   /* in: 0 to 65535 */
	__u32 vector; /* in: 0 to 255 */
};
#define IVSHMEM_RING_SIZE_V1 16
#define IVSHMEM_IOC_RING     _IOWR(IVSHMEM_IOC_MAGIC, 0x04, struct ivshmem_ring)

/*
 * IVSHMEM_IOC_EVENTFD: each interrupt of the vector adds 1 to the eventfd, until the open file is closed or -1 is given in
 * its place; so does, once, the device's going. One eventfd for each vector. Needs write access (EBADF). EBUSY: another
 * open file has one there. EOPNOTSUPP: a plain device, or no interrupts were to be had. EINVAL: the vector is not below
 * ivshmem_info.vectors or is above 255; the descriptor is no eventfd, or below -1; argsz, flags. EBADF: the descriptor is
 * not open.
 */
struct ivshmem_eventfd {
	__u32 argsz;  /* in: sizeof the caller's structure */
	__u32 flags;  /* in: 0 */
	__u32 vector; /* in: below ivshmem_info.vectors, and 256 */
	__s32 fd;     /* in: an eventfd, of which the driver takes its own hold; or -1 */
};
#define IVSHMEM_EVENTFD_SIZE_V1 16
#define IVSHMEM_IOC_EVENTFD     _IOWR(IVSHMEM_IOC_MAGIC, 0x05, struct ivshmem_eventfd)

#endif /* _UAPI_LINUX_IVSHMEM_H */
