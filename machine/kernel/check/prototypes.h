/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The kernel's calls that are functions here and there, as the kernel declares
 * them. check/headers compiles this after the kernel's headers and after the
 * machine's: a difference is an error in one of them. Names are in brackets so
 * that a macro of that name is left alone.
 */
#ifndef MACHINE_KERNEL_PROTOTYPES_H
#define MACHINE_KERNEL_PROTOTYPES_H

/* linux/mutex.h, linux/wait.h, linux/workqueue.h, linux/sched.h */
void(mutex_lock)(struct mutex *lock);
int(mutex_trylock)(struct mutex *lock);
void(mutex_unlock)(struct mutex *lock);
void(memcpy_from_page)(char *to, struct page *page, size_t offset, size_t len);
bool(queue_delayed_work)(struct workqueue_struct *wq,
			 struct delayed_work *dwork, unsigned long delay);
void(destroy_workqueue)(struct workqueue_struct *wq);
long(schedule_timeout_killable)(long timeout);
int(fatal_signal_pending)(struct task_struct *p);
unsigned long(msecs_to_jiffies)(const unsigned int m);

/* linux/anon_inodes.h, linux/mm.h */
struct file *(anon_inode_getfile)(const char *name,
				  const struct file_operations *fops,
				  void *priv, int flags);
void(vma_set_file)(struct vm_area_struct *vma, struct file *file);

/* linux/slab.h, linux/uaccess.h, linux/err.h, linux/overflow.h */
void(kfree)(const void *objp);
void(kvfree)(const void *addr);
unsigned long(copy_from_user)(void *to, const void __user *from,
			      unsigned long n);
unsigned long(copy_to_user)(void __user *to, const void *from, unsigned long n);
void __user *(compat_ptr)(compat_uptr_t uptr);
void *(ERR_PTR)(long error);
long(PTR_ERR)(const void *ptr);
bool(IS_ERR)(const void *ptr);

/* linux/list.h, linux/rbtree.h */
void(INIT_LIST_HEAD)(struct list_head *list);
int(list_empty)(const struct list_head *head);
void(list_add_tail)(struct list_head *new, struct list_head *head);
void(list_del)(struct list_head *entry);
void(list_splice_init)(struct list_head *list, struct list_head *head);
void(rb_link_node)(struct rb_node *node, struct rb_node *parent,
		   struct rb_node **rb_link);
void(rb_insert_color)(struct rb_node *node, struct rb_root *root);
void(rb_erase)(struct rb_node *node, struct rb_root *root);
struct rb_node *(rb_first)(const struct rb_root *root);
struct rb_node *(rb_last)(const struct rb_root *root);
struct rb_node *(rb_next)(const struct rb_node *node);
struct rb_node *(rb_prev)(const struct rb_node *node);
struct rb_node *(rb_first_postorder)(const struct rb_root *root);
struct rb_node *(rb_next_postorder)(const struct rb_node *node);

/* linux/mm.h, linux/mmu_notifier.h */
void(get_page)(struct page *page);
void(put_page)(struct page *page);
int(pin_user_pages_fast)(unsigned long start, int nr_pages,
			 unsigned int gup_flags, struct page **pages);
void(unpin_user_pages_dirty_lock)(struct page **pages, unsigned long npages,
				  bool make_dirty);
int(account_locked_vm)(struct mm_struct *mm, unsigned long pages, bool inc);
void(mmgrab)(struct mm_struct *mm);
void(mmdrop)(struct mm_struct *mm);
size_t(fault_in_safe_writeable)(const char __user *uaddr, size_t size);
int(vm_insert_pages)(struct vm_area_struct *vma, unsigned long addr,
		     struct page **pages, unsigned long *num);
int(apply_to_page_range)(struct mm_struct *mm, unsigned long address,
			 unsigned long size, pte_fn_t fn, void *data);
pte_t(ptep_get)(pte_t *ptep);
void(pte_clear)(struct mm_struct *mm, unsigned long addr, pte_t *ptep);
pte_t *(entry_at)(u64 maddr);
spinlock_t *(entry_lock)(struct mm_struct *mm, u64 maddr);
void(unmap_mapping_range)(struct address_space *mapping, loff_t const holebegin,
			  loff_t const holelen, int even_cows);
void(address_space_init_once)(struct address_space *mapping);
bool(mmget_not_zero)(struct mm_struct *mm);
void(mmput)(struct mm_struct *mm);
void(lock_page)(struct page *page);
void(unlock_page)(struct page *page);
struct vm_area_struct *(find_vma)(struct mm_struct *mm, unsigned long addr);
void(mmap_read_lock)(struct mm_struct *mm);
void(mmap_read_unlock)(struct mm_struct *mm);
vm_fault_t(vmf_error)(int err);
bool(mmu_notifier_range_blockable)(const struct mmu_notifier_range *range);
int(mmu_interval_notifier_insert_locked)(
	struct mmu_interval_notifier *interval_sub, struct mm_struct *mm,
	unsigned long start, unsigned long length,
	const struct mmu_interval_notifier_ops *ops);
void(mmu_interval_notifier_remove)(struct mmu_interval_notifier *interval_sub);
unsigned long(mmu_interval_read_begin)(struct mmu_interval_notifier
					       *interval_sub);
bool(mmu_interval_read_retry)(struct mmu_interval_notifier *interval_sub,
			      unsigned long seq);
void(mmu_interval_set_seq)(struct mmu_interval_notifier *interval_sub,
			   unsigned long cur_seq);

/* linux/fs.h, linux/miscdevice.h, linux/seq_file.h, linux/sysfs.h */
int(misc_register)(struct miscdevice *misc);
void(misc_deregister)(struct miscdevice *misc);
void(seq_printf)(struct seq_file *m, const char *fmt, ...);
int(sysfs_emit)(char *buf, const char *fmt, ...);

/* linux/file.h, linux/fdtable.h */
int(get_unused_fd_flags)(unsigned flags);
void(put_unused_fd)(unsigned int fd);
void(fd_install)(unsigned int fd, struct file *file);
int(iterate_fd)(struct files_struct *, unsigned,
		int (*)(const void *, struct file *, unsigned), const void *);

/* linux/completion.h, linux/kref.h, linux/list.h */
void(complete_all)(struct completion *);
long(wait_for_completion_killable_timeout)(struct completion *x,
					   unsigned long timeout);
void(kref_get)(struct kref *kref);
int(kref_put)(struct kref *kref, void (*release)(struct kref *kref));
void(list_add)(struct list_head *new, struct list_head *head);
void(list_del_init)(struct list_head *entry);
void(list_splice)(const struct list_head *list, struct list_head *head);
int(PTR_ERR_OR_ZERO)(const void *ptr);
bool(IS_ERR_OR_NULL)(const void *ptr);

/* linux/dma-buf.h; the unlocked ones came with 6.2 */
struct dma_buf *(dma_buf_export)(const struct dma_buf_export_info *exp_info);
struct dma_buf *(dma_buf_get)(int fd);
void(dma_buf_put)(struct dma_buf *dmabuf);
struct dma_buf_attachment *(dma_buf_attach)(struct dma_buf *dmabuf,
					    struct device *dev);
void(dma_buf_detach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
struct sg_table *dma_buf_map_attachment_unlocked(struct dma_buf_attachment *,
						 enum dma_data_direction);
void dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *,
				       struct sg_table *,
				       enum dma_data_direction);
void(iosys_map_set_vaddr)(struct iosys_map *map, void *vaddr);

/* linux/device.h, linux/dma-mapping.h, linux/dma-map-ops.h */
void(root_device_unregister)(struct device *root);
void(set_dma_ops)(struct device *dev, const struct dma_map_ops *dma_ops);
int(dma_coerce_mask_and_coherent)(struct device *dev, u64 mask);
void *(dma_alloc_attrs)(struct device *dev, size_t size, dma_addr_t *dma_handle,
			gfp_t flag, unsigned long attrs);
void(dma_free_attrs)(struct device *dev, size_t size, void *cpu_addr,
		     dma_addr_t dma_handle, unsigned long attrs);
int(dma_get_sgtable_attrs)(struct device *dev, struct sg_table *sgt,
			   void *cpu_addr, dma_addr_t dma_addr, size_t size,
			   unsigned long attrs);
dma_addr_t(dma_map_page_attrs)(struct device *dev, struct page *page,
			       size_t offset, size_t size,
			       enum dma_data_direction dir,
			       unsigned long attrs);
void(dma_unmap_page_attrs)(struct device *dev, dma_addr_t addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs);
int(dma_map_sgtable)(struct device *dev, struct sg_table *sgt,
		     enum dma_data_direction dir, unsigned long attrs);
void(dma_unmap_sgtable)(struct device *dev, struct sg_table *sgt,
			enum dma_data_direction dir, unsigned long attrs);
void(dma_sync_sgtable_for_cpu)(struct device *dev, struct sg_table *sgt,
			       enum dma_data_direction dir);
void(dma_sync_sgtable_for_device)(struct device *dev, struct sg_table *sgt,
				  enum dma_data_direction dir);

/* linux/scatterlist.h */
struct scatterlist *(sg_next)(struct scatterlist *);
struct page *(sg_page)(struct scatterlist *sg);
phys_addr_t(sg_phys)(struct scatterlist *sg);
int(sg_alloc_table_from_pages_segment)(struct sg_table *sgt,
				       struct page **pages,
				       unsigned int n_pages,
				       unsigned int offset, unsigned long size,
				       unsigned int max_segment,
				       gfp_t gfp_mask);
void(sg_free_table)(struct sg_table *);

/* linux/vmalloc.h, linux/gfp.h */
void *(vmap)(struct page **pages, unsigned int count, unsigned long flags,
	     pgprot_t prot);
void(vunmap)(const void *addr);

/* compat/outside.h */
pte_t *(kernel_pte)(unsigned long addr);
void(flush_domain_tlb)(void);
bool(mmap_is_write_locked)(struct mm_struct *mm);

/* xen/mem-reservation.h, xen/grant_table.h, xen/page.h */
int(xenmem_reservation_increase)(int count, xen_pfn_t *frames);
int(xenmem_reservation_decrease)(int count, xen_pfn_t *frames);
void(xenmem_reservation_va_mapping_update)(unsigned long count,
					   struct page **pages,
					   xen_pfn_t *frames);
void(xenmem_reservation_va_mapping_reset)(unsigned long count,
					  struct page **pages);
int(gnttab_pages_set_private)(int nr_pages, struct page **pages);
void(gnttab_pages_clear_private)(int nr_pages, struct page **pages);
int(gnttab_alloc_grant_references)(u16 count, grant_ref_t *pprivate_head);
int(gnttab_claim_grant_reference)(grant_ref_t *pprivate_head);
void(gnttab_free_grant_reference)(grant_ref_t ref);
void(gnttab_grant_foreign_access_ref)(grant_ref_t ref, domid_t domid,
				      unsigned long frame, int readonly);
int(gnttab_try_end_foreign_access)(grant_ref_t ref);
unsigned long(pfn_to_gfn)(unsigned long pfn);
unsigned long(page_to_xen_pfn)(struct page *page);

/* xen/grant_table.h, xen/events.h, xen/page.h, asm/xen/hypercall.h */
void(gnttab_set_map_op)(struct gnttab_map_grant_ref *map, phys_addr_t addr,
			uint32_t flags, grant_ref_t ref, domid_t domid);
void(gnttab_set_unmap_op)(struct gnttab_unmap_grant_ref *unmap,
			  phys_addr_t addr, uint32_t flags,
			  grant_handle_t handle);
int(gnttab_alloc_pages)(int nr_pages, struct page **pages);
void(gnttab_free_pages)(int nr_pages, struct page **pages);
int(gnttab_map_refs)(struct gnttab_map_grant_ref *map_ops,
		     struct gnttab_map_grant_ref *kmap_ops, struct page **pages,
		     unsigned int count);
int(gnttab_unmap_refs)(struct gnttab_unmap_grant_ref *unmap_ops,
		       struct gnttab_unmap_grant_ref *kunmap_ops,
		       struct page **pages, unsigned int count);
int(HYPERVISOR_grant_table_op)(unsigned int cmd, void *uop, unsigned int count);
unsigned long(xen_page_to_gfn)(struct page *page);
xmaddr_t(arbitrary_virt_to_machine)(void *address);
int(evtchn_get)(evtchn_port_t evtchn);
void(evtchn_put)(evtchn_port_t evtchn);
void(notify_remote_via_evtchn)(evtchn_port_t port);
bool(own_grants_vanish)(void);
domid_t(own_domid)(void);
void(own_domid_init)(void);
void(own_domid_exit)(void);
unsigned int(irq_from_evtchn)(evtchn_port_t evtchn);

/* The driver's operations must fit both worlds' tables of functions. */
static inline void machine_check_operations(struct file_operations *f,
					    struct vm_operations_struct *v,
					    struct mmu_interval_notifier_ops *n)
{
	int (*mremap)(struct vm_area_struct *) = v->mremap;
	int (*open)(struct inode *, struct file *) = f->open;
	int (*flush)(struct file *, fl_owner_t) = f->flush;
	int (*release)(struct inode *, struct file *) = f->release;
	int (*mmap)(struct file *, struct vm_area_struct *) = f->mmap;
	unsigned long (*area)(struct file *, unsigned long, unsigned long,
			      unsigned long,
			      unsigned long) = f->get_unmapped_area;
	long (*ioctl)(struct file *, unsigned int, unsigned long) =
		f->unlocked_ioctl;
	long (*compat)(struct file *, unsigned int, unsigned long) =
		f->compat_ioctl;
	void (*fdinfo)(struct seq_file *, struct file *) = f->show_fdinfo;
	void (*vopen)(struct vm_area_struct *) = v->open;
	void (*vclose)(struct vm_area_struct *) = v->close;
	int (*split)(struct vm_area_struct *, unsigned long) = v->may_split;
	vm_fault_t (*fault)(struct vm_fault *) = v->fault;
	struct page *(*special)(struct vm_area_struct *, unsigned long) =
		v->find_special_page;
	bool (*invalidate)(struct mmu_interval_notifier *,
			   const struct mmu_notifier_range *,
			   unsigned long) = n->invalidate;

	(void)open, (void)flush, (void)release, (void)mmap, (void)area;
	(void)ioctl, (void)compat, (void)fdinfo, (void)vopen, (void)vclose;
	(void)split, (void)fault, (void)special, (void)invalidate;
	(void)mremap;
}

static inline void machine_check_buffers(struct dma_buf_ops *b,
					 struct dma_map_ops *d)
{
	struct sg_table *(*map)(struct dma_buf_attachment *,
				enum dma_data_direction) = b->map_dma_buf;
	void (*unmap)(struct dma_buf_attachment *, struct sg_table *,
		      enum dma_data_direction) = b->unmap_dma_buf;
	void (*release)(struct dma_buf *) = b->release;
	int (*begin)(struct dma_buf *, enum dma_data_direction) =
		b->begin_cpu_access;
	int (*end)(struct dma_buf *, enum dma_data_direction) =
		b->end_cpu_access;
	int (*mmap)(struct dma_buf *, struct vm_area_struct *) = b->mmap;
	int (*vmap)(struct dma_buf *, struct iosys_map *) = b->vmap;
	void (*vunmap)(struct dma_buf *, struct iosys_map *) = b->vunmap;
	int (*map_sg)(struct device *, struct scatterlist *, int,
		      enum dma_data_direction, unsigned long) = d->map_sg;
	void (*unmap_sg)(struct device *, struct scatterlist *, int,
			 enum dma_data_direction, unsigned long) = d->unmap_sg;
	dma_addr_t (*map_page)(struct device *, struct page *, unsigned long,
			       size_t, enum dma_data_direction,
			       unsigned long) = d->map_page;
	void (*unmap_page)(struct device *, dma_addr_t, size_t,
			   enum dma_data_direction,
			   unsigned long) = d->unmap_page;

	(void)map, (void)unmap, (void)release, (void)begin, (void)end;
	(void)mmap, (void)vmap, (void)vunmap, (void)map_sg, (void)unmap_sg;
	(void)map_page, (void)unmap_page;
}

#endif /* MACHINE_KERNEL_PROTOTYPES_H */
