// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How a processor sees a dma-buf's pages: the memory attributes in its entries,
 * the program's at an address of who loads the module, and the kernel's where it
 * sees the buffer as one area. The start fails: with -ENODATA if all of them are
 * those of ordinary memory, with -EBADMSG and a line in the log if not.
 */
#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/version.h>
#ifdef CONFIG_ARM64
#include <asm/memory.h>
#include <asm/sysreg.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define dma_buf_vmap_unlocked dma_buf_vmap
#define dma_buf_vunmap_unlocked dma_buf_vunmap
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS(DMA_BUF);
#else
MODULE_IMPORT_NS("DMA_BUF");
#endif

static int fd = -1;
module_param(fd, int, 0);

static unsigned long at;
module_param(at, ulong, 0);

#ifdef CONFIG_ARM64
/* Write-back, inner-shareable. */
static bool is_ordinary(pte_t pte)
{
	u64 index = (pte_val(pte) & PTE_ATTRINDX_MASK) >> 2;

	return (index == MT_NORMAL || index == MT_NORMAL_TAGGED) &&
	       (pte_val(pte) & PTE_SHARED) == PTE_SHARED;
}

/* The kernel's own table, from the register that has it. */
static bool kernel_is_ordinary(unsigned long addr)
{
	u64 table = read_sysreg(ttbr1_el1) & GENMASK_ULL(47, 12);
	pgd_t *pgd = pgd_offset_pgd((pgd_t *)__phys_to_virt(table), addr);
	p4d_t *p4d = p4d_offset(pgd, addr);
	pud_t *pud = pud_offset(p4d, addr);
	pmd_t *pmd = pmd_offset(pud, addr);

	if (pmd_none(*pmd) || pmd_leaf(*pmd))
		return false;
	pr_info("dmabuf-prot: the kernel's entry is %#llx\n",
		pte_val(*pte_offset_kernel(pmd, addr)));

	return is_ordinary(*pte_offset_kernel(pmd, addr));
}
#else
static bool is_ordinary(pte_t pte)
{
	return !(pte_flags(pte) & _PAGE_CACHE_MASK);
}

static bool kernel_is_ordinary(unsigned long addr)
{
	unsigned int level;
	pte_t *pte = lookup_address(addr, &level);

	return pte && is_ordinary(*pte);
}
#endif

static int look(pte_t *pte, unsigned long addr, void *data)
{
	pr_info("dmabuf-prot: the program's entry is %#llx\n",
		(u64)pte_val(*pte));
	if (!pte_present(*pte) || !is_ordinary(*pte))
		*(int *)data = -EBADMSG;

	return 0;
}

static int look_at_kernels(struct dma_buf *dmabuf)
{
	struct iosys_map map;
	int err;

	err = dma_buf_vmap_unlocked(dmabuf, &map);
	if (err)
		return err;
	if (!kernel_is_ordinary((unsigned long)map.vaddr))
		err = -EBADMSG;
	dma_buf_vunmap_unlocked(dmabuf, &map);

	return err;
}

static int __init dmabuf_prot_init(void)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	int bad = 0, err;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	mmap_write_lock(current->mm);
	err = apply_to_page_range(current->mm, at, PAGE_SIZE, look, &bad);
	mmap_write_unlock(current->mm);
	if (!err)
		err = bad;
	if (!err)
		err = look_at_kernels(dmabuf);
	dma_buf_put(dmabuf);

	return err ?: -ENODATA;
}
module_init(dmabuf_prot_init);

MODULE_DESCRIPTION("Test: looks how a dma-buf's pages are cached");
MODULE_LICENSE("Dual MIT/GPL");
