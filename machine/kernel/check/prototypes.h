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
bool(mod_delayed_work)(struct workqueue_struct *wq, struct delayed_work *dwork,
		       unsigned long delay);
bool(schedule_delayed_work)(struct delayed_work *dwork, unsigned long delay);
bool(cancel_delayed_work_sync)(struct delayed_work *dwork);
long(schedule_timeout_killable)(long timeout);
int(fatal_signal_pending)(struct task_struct *p);
unsigned long(msecs_to_jiffies)(const unsigned int m);

/* linux/slab.h, linux/uaccess.h, linux/err.h, linux/overflow.h */
void(kfree)(const void *objp);
void(kvfree)(const void *addr);
unsigned long(copy_from_user)(void *to, const void __user *from,
			      unsigned long n);
unsigned long(copy_to_user)(void __user *to, const void *from, unsigned long n);
long(copy_to_user_nofault)(void __user *dst, const void *src, size_t size);
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
int(vm_insert_pages)(struct vm_area_struct *vma, unsigned long addr,
		     struct page **pages, unsigned long *num);
int(apply_to_page_range)(struct mm_struct *mm, unsigned long address,
			 unsigned long size, pte_fn_t fn, void *data);
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

/* The driver's operations must fit both worlds' tables of functions. */
static inline void machine_check_operations(struct file_operations *f,
					    struct vm_operations_struct *v,
					    struct mmu_interval_notifier_ops *n)
{
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
}

#endif /* MACHINE_KERNEL_PROTOTYPES_H */
