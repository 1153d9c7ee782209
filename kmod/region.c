// SPDX-License-Identifier: GPL-2.0-only
/*
 * BAR2: how it is reached, and as what type of memory.
 *
 * Write-back is what makes this fast, and on x86 asking for it is not getting it: in a range that the MTRRs call
 * uncachable, where firmware puts every BAR below 4 GiB, the kernel turns each write-back request into uncached. Only
 * mappings of struct pages keep the type they ask for. So, in this order: struct pages; no pages, but write-back, where
 * that is really granted; write-combining. What was granted is read back from the page table, never assumed.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include "ivshmem.h"

static bool writeback = true;
module_param(writeback, bool, 0644);
MODULE_PARM_DESC(writeback,
		 "without struct pages, try write-back before write-combining; looked at when a device is bound");

/* IVSHMEM_CACHE_ of a kernel mapping. On x86 the memory type table holds user mappings of the range to the same type. */
static u32 granted(const void *addr, u32 asked)
{
#ifdef CONFIG_X86
	unsigned long wc = cachemode2protval(_PAGE_CACHE_MODE_WC);
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)addr, &level);
	unsigned long bits;
	pgprot_t prot;

	if (!pte)
		return IVSHMEM_CACHE_UNCACHED;
	prot = __pgprot(pte_val(*pte));
	if (level != PG_LEVEL_4K)
		prot = pgprot_large_2_4k(prot);
	bits = pgprot_val(prot) & _PAGE_CACHE_MASK;
	if (bits == cachemode2protval(_PAGE_CACHE_MODE_WB))
		return IVSHMEM_CACHE_WRITE_BACK;
	/* Without PAT, write-combining is but another word for uncached. */
	if (bits == wc && wc != cachemode2protval(_PAGE_CACHE_MODE_UC_MINUS))
		return IVSHMEM_CACHE_WRITE_COMBINE;
	return IVSHMEM_CACHE_UNCACHED;
#else
	return asked;
#endif
}

/*
 * Without struct pages. A mapping that came out wrong has to go before the next is tried: the first one sets the type of
 * all that follow.
 */
static int create_ram(struct ivshmem_region *r)
{
	if (writeback) {
		r->ram = memremap(r->start, r->size, MEMREMAP_WB);
		if (r->ram) {
			r->cache = granted(r->ram, IVSHMEM_CACHE_WRITE_BACK);
			if (r->cache == IVSHMEM_CACHE_WRITE_BACK)
				return 0;
			memunmap(r->ram);
		}
	}
	r->ram = memremap(r->start, r->size, MEMREMAP_WC);
	if (!r->ram)
		return -ENOMEM;
	r->cache = granted(r->ram, IVSHMEM_CACHE_WRITE_COMBINE);
	return 0;
}

/* A memory that shares its page with another BAR takes that page uncached, or it would change the type of the neighbour's. */
static int create_io(struct ivshmem_region *r)
{
	r->cache = IVSHMEM_CACHE_NONE;
	r->reason = IVSHMEM_REASON_SUBPAGE;
	r->io = ioremap(r->start, r->size);
	return r->io ? 0 : -ENOMEM;
}

/* EBUSY: pages of an earlier life of this range are still pinned. */
int ivshmem_region_create(struct ivshmem_region *r, struct device *dev, phys_addr_t start, u64 size)
{
	r->start = start;
	r->size = size;
	if (ivshmem_pages_taken(start, size))
		return -EBUSY;
	if (!PAGE_ALIGNED(start | size))
		return create_io(r);
	r->pages = ivshmem_pages_create(dev, start, size, &r->reason);
	if (!r->pages)
		return create_ram(r);
	r->cache = IVSHMEM_CACHE_WRITE_BACK;
	return 0;
}

/* The device is dead: nobody maps, reads or writes it any more. */
void ivshmem_region_destroy(struct ivshmem_region *r)
{
	if (r->pages)
		ivshmem_pages_destroy(r->pages);
	if (r->ram)
		memunmap(r->ram);
	if (r->io)
		iounmap(r->io);
}

bool ivshmem_region_mappable(const struct ivshmem_region *r)
{
	return !r->io;
}

/* The one place where a window is checked against the size. */
bool ivshmem_region_fits(const struct ivshmem_region *r, unsigned long pgoff, unsigned long pages)
{
	u64 all = r->size >> PAGE_SHIFT;

	return pgoff < all && pages <= all - pgoff;
}

/*
 * A write-back window onto struct pages, of at most IVSHMEM_WINDOW bytes. Their address in the direct map will not do, it
 * may be uncached; and a window onto all of it would take page tables of 1/512 of the size.
 */
static void *window_open(struct ivshmem_region *r, u64 pos, size_t len)
{
	struct page *page[DIV_ROUND_UP(IVSHMEM_WINDOW, PAGE_SIZE)];
	unsigned int i, n = DIV_ROUND_UP(offset_in_page(pos) + len, PAGE_SIZE);
	void *addr;

	for (i = 0; i < n; i++)
		page[i] = pfn_to_page(PHYS_PFN(r->start + pos) + i);
	addr = vmap(page, n, VM_MAP, pgprot_decrypted(PAGE_KERNEL));
	return addr ? addr + offset_in_page(pos) : NULL;
}

static void window_close(void *addr)
{
	vunmap((void *)((unsigned long)addr & PAGE_MASK));
}

/* [pos, pos + len) lies inside the region, and does not cross a multiple of IVSHMEM_WINDOW. */
int ivshmem_region_copy(struct ivshmem_region *r, u64 pos, void *buf, size_t len, bool write)
{
	void *at;

	if (r->io) {
		if (write)
			memcpy_toio(r->io + pos, buf, len);
		else
			memcpy_fromio(buf, r->io + pos, len);
		return 0;
	}
	at = r->ram ? r->ram + pos : window_open(r, pos, len);
	if (!at)
		return -ENOMEM;
	memcpy(write ? at : buf, write ? buf : at, len);
	if (!r->ram)
		window_close(at);
	return 0;
}
