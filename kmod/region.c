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
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core/span.h"
#include "ivshmem.h"

#define VIEW SZ_2M /* pages come in multiples of this */

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
	mutex_init(&r->views_lock);
	if (ivshmem_pages_taken(start, size))
		return -EBUSY;
	if (!PAGE_ALIGNED(start | size))
		return create_io(r);
	r->pages = ivshmem_pages_create(dev, start, size, &r->reason);
	if (!r->pages)
		return create_ram(r);
	r->cache = IVSHMEM_CACHE_WRITE_BACK;
	r->views = kvcalloc(r->size / VIEW, sizeof(*r->views), GFP_KERNEL);
	if (r->views)
		return 0;
	ivshmem_pages_destroy(r->pages);
	return -ENOMEM;
}

static void destroy_views(struct ivshmem_region *r)
{
	u64 i;

	for (i = 0; i < r->size / VIEW; i++)
		vunmap(r->views[i]);
	kvfree(r->views);
}

/* The device is dead: nobody maps, reads or writes it any more. */
void ivshmem_region_destroy(struct ivshmem_region *r)
{
	if (r->views)
		destroy_views(r);
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

bool ivshmem_region_fits(const struct ivshmem_region *r, unsigned long pgoff, unsigned long pages)
{
	return pages && ivp_span_fits(pgoff, pages, r->size >> PAGE_SHIFT);
}

/* For its user: an aligned word inside the memory. */
bool ivshmem_region_has_word(const struct ivshmem_region *r, u64 offset)
{
	return IS_ALIGNED(offset, sizeof(u32)) && ivp_span_fits(offset, sizeof(u32), r->size);
}

/*
 * A write-back view of VIEW bytes of struct pages, which stays: their address in the direct map will not do, it may be
 * uncached; and a view of everything would take page tables of 1/512 of the size, whether used or not.
 */
static void *view_create(const struct ivshmem_region *r, u64 offset)
{
	unsigned int i, n = VIEW / PAGE_SIZE;
	struct page **page = kmalloc_array(n, sizeof(*page), GFP_KERNEL);
	void *view;

	if (!page)
		return NULL;
	for (i = 0; i < n; i++)
		page[i] = pfn_to_page(PHYS_PFN(r->start + offset) + i);
	view = vmap(page, n, VM_MAP, pgprot_decrypted(PAGE_KERNEL));
	kfree(page);
	return view;
}

/* Makes [offset, the next multiple of VIEW) readable for ivshmem_region_load(), until the region is destroyed. May sleep. */
int ivshmem_region_reach(struct ivshmem_region *r, u64 offset)
{
	void **view = r->views + offset / VIEW;
	int err = 0;

	/* Acquire: pairs with the release below, for whoever finds the view ready. */
	if (!r->pages || smp_load_acquire(view))
		return 0;
	mutex_lock(&r->views_lock);
	if (!*view)
		/* Release: the page tables are there before the pointer is. */
		smp_store_release(view, view_create(r, ALIGN_DOWN(offset, VIEW)));
	err = *view ? 0 : -ENOMEM;
	mutex_unlock(&r->views_lock);
	return err;
}

static void *address_of(const struct ivshmem_region *r, u64 offset)
{
	if (r->ram)
		return r->ram + offset;
	/* Acquire: pairs with the release in ivshmem_region_reach(). */
	return smp_load_acquire(&r->views[offset / VIEW]) + offset % VIEW;
}

/* Of bytes that lie in a row up to the next multiple of IVSHMEM_WINDOW. NULL: there is none, but for ivshmem_region_copy(). May sleep. */
void *ivshmem_region_address(struct ivshmem_region *r, u64 pos)
{
	int err = ivshmem_region_reach(r, pos);

	if (err)
		return ERR_PTR(err);
	return r->io ? NULL : address_of(r, pos);
}

/* A word that others write, after ivshmem_region_reach(). From any context. */
u32 ivshmem_region_load(const struct ivshmem_region *r, u64 offset)
{
	if (r->io)
		return readl(r->io + offset);
	/* Acquire: what its writer stored before it is seen after it. */
	return virt_load_acquire((u32 *)address_of(r, offset));
}

/* [pos, pos + len) lies inside the region, and does not cross a multiple of IVSHMEM_WINDOW. */
int ivshmem_region_copy(struct ivshmem_region *r, u64 pos, void *buf, size_t len, bool write)
{
	void *at = ivshmem_region_address(r, pos);

	if (IS_ERR(at))
		return PTR_ERR(at);
	if (at)
		memcpy(write ? at : buf, write ? buf : at, len);
	else if (write)
		memcpy_toio(r->io + pos, buf, len);
	else
		memcpy_fromio(buf, r->io + pos, len);
	return 0;
}
