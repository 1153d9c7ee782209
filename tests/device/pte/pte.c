// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/pte: what a process's own page table says about an address.
 *
 * pread(fd, text, len, address) gives one line such as "4K write-back": the level of the entry, and the memory type that
 * its PCD, PWT and PAT bits choose. "none" where there is no entry. x86 only.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

static const char *type_of(pteval_t value, bool large)
{
	pgprot_t prot = __pgprot(value);
	unsigned long bits;

	if (large)
		prot = pgprot_large_2_4k(prot);
	bits = pgprot_val(prot) & _PAGE_CACHE_MASK;
	if (bits == cachemode2protval(_PAGE_CACHE_MODE_WB))
		return "write-back";
	if (bits == cachemode2protval(_PAGE_CACHE_MODE_UC_MINUS))
		return "uncached-minus";
	if (bits == cachemode2protval(_PAGE_CACHE_MODE_UC))
		return "uncached";
	if (bits == cachemode2protval(_PAGE_CACHE_MODE_WC))
		return "write-combine";
	return "other";
}

static int describe(struct mm_struct *mm, unsigned long addr, char *text, size_t len)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t pte;

	if (pgd_none(*pgd))
		goto none;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d))
		goto none;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud))
		goto none;
	if (pud_leaf(*pud))
		return scnprintf(text, len, "1G %s\n", type_of(pud_val(*pud), true));
	pmd = pmd_offset(pud, addr);
	if (pmd_none(*pmd))
		goto none;
	if (pmd_leaf(*pmd))
		return scnprintf(text, len, "2M %s\n", type_of(pmd_val(*pmd), true));
	pte = *pte_offset_kernel(pmd, addr);
	if (!pte_none(pte))
		return scnprintf(text, len, "4K %s\n", type_of(pte_val(pte), false));
none:
	return scnprintf(text, len, "none\n");
}

static ssize_t pte_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	char text[32];
	int n;

	if ((unsigned long)*pos >= TASK_SIZE)
		return -EINVAL;
	mmap_write_lock(current->mm); /* nobody else in the page table, and no faults */
	n = describe(current->mm, *pos, text, sizeof(text));
	mmap_write_unlock(current->mm);
	n = min_t(size_t, n, len);
	return copy_to_user(buf, text, n) ? -EFAULT : n;
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.read = pte_read,
	.llseek = noop_llseek,
};

static struct miscdevice misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pte",
	.fops = &fops,
};
module_misc_device(misc);

MODULE_DESCRIPTION("page table entries of the calling process, for tests");
MODULE_LICENSE("GPL");
