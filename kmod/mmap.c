// SPDX-License-Identifier: GPL-2.0-only
/* What a process sees of BAR2: the rules of mmap, and faults. */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>

#include "compat.h"
#include "ivshmem.h"

/* A fault fills what lies around it: 512 entries for little more than the price of one. */
#define AROUND (512 * PAGE_SIZE)
/* Struct page pointers on the stack at a time. */
#define BATCH 32

static vm_fault_t insert_pages(struct vm_area_struct *vma, unsigned long addr, unsigned long end, struct page *page)
{
	struct page *batch[BATCH];
	unsigned long i, n, left;
	int err;

	while (addr < end) {
		n = min_t(unsigned long, BATCH, (end - addr) >> PAGE_SHIFT);
		left = n;
		for (i = 0; i < n; i++)
			batch[i] = page + i;
		err = vm_insert_pages(vma, addr, batch, &left);
		n -= left;
		/* An entry is there already, from an earlier fault or from one at this moment: step over it. */
		if (err == -EBUSY)
			n++;
		else if (err == -EFAULT)
			return VM_FAULT_NOPAGE; /* an empty page table, freed at this moment: it will fault again */
		else if (err)
			return vmf_error(err);
		addr += n << PAGE_SHIFT;
		page += n;
	}
	return VM_FAULT_NOPAGE;
}

/*
 * For the core to insert when it has it: all of its folio by one entry, if nothing is there yet. ->lock is not held any more
 * then; the lock of the page is (see ivshmem_pages_settle()).
 */
static vm_fault_t give_page(struct vm_fault *vmf, struct page *page)
{
	get_page(page);
	lock_page(page);
	vmf->page = page;
	return VM_FAULT_LOCKED;
}

/* x86 gives these entries the type that the kernel's own mapping of the range has, whatever vm_page_prot says. */
static vm_fault_t insert_pfns(struct vm_area_struct *vma, unsigned long addr, unsigned long end, unsigned long pfn)
{
	vm_fault_t ret = VM_FAULT_NOPAGE;

	for (; addr < end && ret == VM_FAULT_NOPAGE; addr += PAGE_SIZE)
		ret = vmf_insert_pfn(vma, addr, pfn++);
	return ret;
}

static vm_fault_t fault_locked(struct ivshmem_region *r, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long start = max(vma->vm_start, ALIGN_DOWN(vmf->address, AROUND));
	unsigned long end = min(vma->vm_end, ALIGN_DOWN(vmf->address, AROUND) + AROUND);
	unsigned long pgoff = vma->vm_pgoff + ((start - vma->vm_start) >> PAGE_SHIFT);
	unsigned long pfn = PHYS_PFN(r->start) + pgoff;

	if (!ivshmem_region_fits(r, pgoff, (end - start) >> PAGE_SHIFT))
		return VM_FAULT_SIGBUS;
	if (r->pages && !(vma->vm_flags & VM_MIXEDMAP))
		return give_page(vmf, pfn_to_page(PHYS_PFN(r->start) + vmf->pgoff));
	if (r->pages)
		return insert_pages(vma, start, end, pfn_to_page(pfn));
	return insert_pfns(vma, start, end, pfn);
}

/* What is inserted here under the lock is seen by the revocation that follows the writer. */
static vm_fault_t fault(struct vm_fault *vmf)
{
	struct ivshmem_device *ivd = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	down_read(&ivd->lock);
	if (!ivd->dead)
		ret = fault_locked(&ivd->region, vmf);
	up_read(&ivd->lock);
	return ret;
}

static const struct vm_operations_struct vm_ops = {
	.fault = fault,
};

/* Does the memory come in folios, and is there a place for a whole one? */
static bool folio_fits(const struct ivshmem_region *r, const struct vm_area_struct *vma)
{
	unsigned long first = ALIGN(vma->vm_start, PMD_SIZE);

	return PageHead(pfn_to_page(PHYS_PFN(r->start))) &&
	       IS_ALIGNED((vma->vm_start >> PAGE_SHIFT) - vma->vm_pgoff, PMD_SIZE >> PAGE_SHIFT) &&
	       first < vma->vm_end && vma->vm_end - first >= PMD_SIZE;
}

/*
 * Batches need VM_MIXEDMAP. With it the core does not count references of PMDs, and so never returns those that it took when
 * it inserted them: a mapping has either. One that takes whole folios has single faults for what is left over at its ends.
 */
static unsigned long kind(const struct ivshmem_region *r, const struct vm_area_struct *vma)
{
	if (!r->pages)
		return VM_PFNMAP | VM_IO;
	return folio_fits(r, vma) ? 0 : VM_MIXEDMAP;
}

static void set_type(const struct ivshmem_region *r, struct vm_area_struct *vma)
{
	vma->vm_page_prot = pgprot_decrypted(vma->vm_page_prot);
	if (r->cache == IVSHMEM_CACHE_WRITE_COMBINE)
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	else if (r->cache == IVSHMEM_CACHE_UNCACHED)
		vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP | kind(r, vma));
	vm_flags_clear(vma, VM_MAYEXEC);
}

int ivshmem_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ivshmem_device *ivd = ((struct ivshmem_file *)file->private_data)->ivd;

	if (READ_ONCE(ivd->dead) || !ivshmem_region_mappable(&ivd->region))
		return -ENODEV;
	/* Not VM_SHARED, which a shared mapping of a file that was opened read-only does not have. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (!ivshmem_region_fits(&ivd->region, vma->vm_pgoff, vma_pages(vma)))
		return -EINVAL;
	set_type(&ivd->region, vma);
	vma->vm_ops = &vm_ops;
	vma->vm_private_data = ivd; /* held by the file, which the mapping holds */
	return 0;
}
