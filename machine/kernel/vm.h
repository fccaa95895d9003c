/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Address spaces: models. A task's VMAs of the machine's devices, with a table
 * of entries each, the calls by which a driver fills them, and MMU notifiers.
 * What else is in a program's address space is the real kernel's.
 */
#ifndef MACHINE_KERNEL_VM_H
#define MACHINE_KERNEL_VM_H

#include <unistd.h>

#include "base.h"
#include "../base/lists.h"
#include "../base/locks.h"
#include "api.h"

struct file;
struct vm_area_struct;

typedef unsigned int vm_fault_t;

/* A page-table entry. Under the hypervisor's lock. */
enum pte_kind {
	PTE_NONE,
	PTE_PAGE, /* an ordinary page, which it holds a reference on */
	PTE_GRANT, /* written by the hypervisor, special to the kernel */
	PTE_FRAME, /* a page of the domain's own memory */
	PTE_STRAY, /* maps nothing, but is not empty */
};

typedef struct {
	u8 kind;
	bool writable;
	struct page *page; /* PTE_PAGE */
	struct domain *owner; /* PTE_GRANT, PTE_FRAME */
	unsigned long pfn;
	u32 handle; /* PTE_GRANT */
} pte_t;

/* How an entry is cached, and so on: nothing here sees it. */
typedef struct {
	unsigned long pgprot;
} pgprot_t;

struct vm_fault {
	struct vm_area_struct *vma;
	unsigned long address;
	struct page *page;
};

struct vm_operations_struct {
	void (*open)(struct vm_area_struct *area);
	void (*close)(struct vm_area_struct *area);
	int (*may_split)(struct vm_area_struct *area, unsigned long addr);
	int (*mremap)(struct vm_area_struct *area);
	vm_fault_t (*fault)(struct vm_fault *vmf);
	vm_fault_t (*page_mkwrite)(struct vm_fault *vmf);
	vm_fault_t (*pfn_mkwrite)(struct vm_fault *vmf);
	int (*access)(struct vm_area_struct *vma, unsigned long addr, void *buf,
		      int len, int write);
	struct page *(*find_special_page)(struct vm_area_struct *vma,
					  unsigned long addr);
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	pgprot_t vm_page_prot;
	struct mm_struct *vm_mm;
	struct file *vm_file;
	void *vm_private_data;
	const struct vm_operations_struct *vm_ops;
	/* of the model */
	struct rb_node node; /* in the mm, by address */
	struct rb_node tables_node; /* in all page tables, by their address */
	pte_t *ptes; /* NULL when the page tables are gone */
	bool linked; /* found by its file; hypervisor's lock */
};

struct mm_struct {
	struct rw_semaphore mmap_lock;
	/* of the model; the tree is under mmap_lock */
	struct rb_root vmas;
	struct vm_area_struct *pending; /* in its ->mmap just now */
	struct task *task;
	int users; /* atomic: its task, and mmgrab()'s */
	long locked; /* atomic: pages that count as locked in memory */
	pid_t pid; /* whose limit holds for these */
	spinlock_t tables_lock; /* of all of its page tables */
	int active; /* atomic: its task, and mmget_not_zero()'s; 0 once it goes */
	/* under the notifiers' lock */
	struct list_head notifiers;
	unsigned long seq; /* odd while a notifier's range is changed */
	unsigned int invalidations;
};

static inline unsigned long vma_pages(const struct vm_area_struct *vma)
{
	return (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
}

void vm_flags_set(struct vm_area_struct *vma, unsigned long flags);
void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags);
void mmgrab(struct mm_struct *mm);
void mmdrop(struct mm_struct *mm);
/* Counts pages that stay in memory, up to the program's RLIMIT_MEMLOCK. */
int account_locked_vm(struct mm_struct *mm, unsigned long pages, bool inc);
void mmap_read_lock(struct mm_struct *mm);
void mmap_read_unlock(struct mm_struct *mm);
bool mmap_is_write_locked(struct mm_struct *mm);
struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long addr);
/* Stub: the address was chosen before, by the program's real kernel. */
unsigned long mm_get_unmapped_area(struct mm_struct *mm, struct file *file,
				   unsigned long addr, unsigned long len,
				   unsigned long pgoff, unsigned long flags);

int vm_insert_pages(struct vm_area_struct *vma, unsigned long addr,
		    struct page **pages, unsigned long *num);
typedef int (*pte_fn_t)(pte_t *pte, unsigned long addr, void *data);
int apply_to_page_range(struct mm_struct *mm, unsigned long address,
			unsigned long size, pte_fn_t fn, void *data);
#define PTRS_PER_PTE 512
/* An entry by its machine address, and the lock under which it is read. */
pte_t *entry_at(u64 maddr);
spinlock_t *entry_lock(struct mm_struct *mm, u64 maddr);
pte_t ptep_get(pte_t *ptep);
static inline bool pte_none(pte_t pte)
{
	return pte.kind == PTE_NONE;
}
void pte_clear(struct mm_struct *mm, unsigned long addr, pte_t *ptep);

/* What VMAs of a file are found by. */
struct inode;
struct address_space {
	struct inode *host;
	const void *a_ops;
};

void address_space_init_once(struct address_space *mapping);
/* Model of what takes pages out of ordinary entries. */
void unmap_mapping_range(struct address_space *mapping, loff_t holebegin,
			 loff_t holelen, int even_cows);

/* An address space that is not to go: false if it is going. */
bool mmget_not_zero(struct mm_struct *mm);
void mmput(struct mm_struct *mm);

static inline vm_fault_t vmf_error(int err)
{
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/* ---- MMU notifiers ---- */

enum mmu_notifier_event {
	MMU_NOTIFY_UNMAP,
	MMU_NOTIFY_CLEAR,
	MMU_NOTIFY_PROTECTION_VMA,
	MMU_NOTIFY_PROTECTION_PAGE,
	MMU_NOTIFY_SOFT_DIRTY,
	MMU_NOTIFY_RELEASE,
};

struct mmu_notifier_range {
	struct mm_struct *mm;
	unsigned long start, end;
	unsigned int flags;
	enum mmu_notifier_event event;
};

struct mmu_interval_notifier;
struct mmu_interval_notifier_ops {
	bool (*invalidate)(struct mmu_interval_notifier *interval_sub,
			   const struct mmu_notifier_range *range,
			   unsigned long cur_seq);
};

struct mmu_interval_notifier {
	const struct mmu_interval_notifier_ops *ops;
	struct mm_struct *mm; /* NULL: not inserted */
	unsigned long start, end;
	unsigned long seq;
	unsigned long told; /* the last change it was told of */
	bool deferred; /* inserted during a change: told of none until its end */
	struct list_head node;
};

static inline bool
mmu_notifier_range_blockable(const struct mmu_notifier_range *range)
{
	return range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE;
}

int mmu_interval_notifier_insert_locked(
	struct mmu_interval_notifier *interval_sub, struct mm_struct *mm,
	unsigned long start, unsigned long length,
	const struct mmu_interval_notifier_ops *ops);
void mmu_interval_notifier_remove(struct mmu_interval_notifier *interval_sub);
unsigned long mmu_interval_read_begin(struct mmu_interval_notifier *sub);
bool mmu_interval_read_retry(struct mmu_interval_notifier *sub,
			     unsigned long seq);
void mmu_interval_set_seq(struct mmu_interval_notifier *sub, unsigned long seq);

/* ---- tasks ---- */

#define TASK_COMM_LEN 16

struct task {
	struct mm_struct *mm;
	pid_t pid;
	struct task *group_leader; /* itself */
	char comm[TASK_COMM_LEN];
	bool here; /* it is this very process */
	int maps; /* atomic: its /proc/PID/maps, or -1 */
	struct domain *domain;
	int killed; /* atomic: a fatal signal is pending */
	struct list_head node; /* of all tasks */
	struct list_head opened; /* files it holds, by its own opening */
	struct files_struct *files; /* its descriptors with a number */
	unsigned int calls; /* threads that are in the kernel for it */
	bool exiting;
};

static inline pid_t task_tgid_nr(const struct task *task)
{
	return task->pid;
}

/* Stubs: all programs of a machine are one user's. */
#define init_user_ns 0
#define current_fsuid() getuid()
#define from_kuid(ns, uid) (uid)

static inline bool task_is_killed(const struct task *task)
{
	return __atomic_load_n(&task->killed, __ATOMIC_ACQUIRE);
}

bool task_may_wait_for_ever(const struct task *task);

#define task_struct task
#define current machine_current()
struct task *machine_current(void);

/* Userfaultfd is not modelled. */
#define vma_leave_userfaultfd(vma) ((void)(vma))

/* ---- of the machine alone ---- */

/*
 * Tells notifiers that entries change; false if one could not do without
 * sleeping. End it in any case.
 */
bool notify_begin(struct mm_struct *mm, unsigned long start, unsigned long end,
		  enum mmu_notifier_event event, bool blockable);
void notify_end(struct mm_struct *mm);
void notifiers_released(struct mm_struct *mm);

struct mm_struct *mm_new(struct task *task);
/* Waits until nobody else keeps it, and lets nobody keep it any more. */
void mm_close(struct mm_struct *mm);
void mm_reopen(struct mm_struct *mm);
void mm_free(struct mm_struct *mm);
struct vm_area_struct *vma_new(struct mm_struct *mm, unsigned long start,
			       unsigned long end, unsigned long flags);
void vma_insert(struct vm_area_struct *vma);
void vma_take_out(struct vm_area_struct *vma);
struct vm_area_struct *vma_next(struct vm_area_struct *vma);
/*
 * The kernel writes an entry itself: hard failure if it is the hypervisor's. One
 * that the hypervisor would not end is cleared instead. Hypervisor's lock.
 */
void pte_changes(pte_t *pte, const char *what);
/* Ends the entries of a part; the kernel's own way, which spares no grant. */
void zap(struct vm_area_struct *vma, unsigned long start, unsigned long end);
void free_page_tables(struct vm_area_struct *vma);
/* Puts it, with its page tables, among the VMAs below. */
void tables_insert(struct vm_area_struct *vma);
/* VMAs of all tasks that have page tables; hypervisor's lock. */
struct vm_area_struct *tables_first(void);
struct vm_area_struct *tables_next(struct vm_area_struct *vma);
void vma_free(struct vm_area_struct *vma);
/* One entry for a frame of the domain's own: vm_insert_page. */
void vma_set_frame(struct vm_area_struct *vma, unsigned long i,
		   struct domain *owner, unsigned long pfn);
/* The processor's access: 0, -EFAULT for SIGBUS or SIGSEGV. */
int vma_fault(struct vm_area_struct *vma, unsigned long addr, bool write);
/* Whether the driver wants to know of that write first. */
bool asks_for_write(const struct vm_area_struct *vma, const pte_t *pte,
		    bool write);
/* Asks: whether the entry was made writable; *err if it must not be. */
bool ask_for_write(struct vm_area_struct *vma, unsigned long addr, pte_t *pte,
		   int *err);
/* What is behind an entry; false if nothing is. */
bool vma_frame(struct vm_area_struct *vma, unsigned long i, bool *writable,
	       struct domain **owner, unsigned long *pfn);
/* The entry that a machine address names, or NULL; hypervisor's lock. */
pte_t *pte_at(u64 maddr, struct vm_area_struct **vma);

enum vm_pin {
	VM_PIN_DONE,
	VM_PIN_REFUSED,
	VM_PIN_NOT_MINE
};
enum vm_pin vm_pin(struct mm_struct *mm, unsigned long addr, bool write,
		   struct page **page);
/* A debugger's look, whatever access the program has: 0 or -EFAULT. */
int vm_look(struct mm_struct *mm, unsigned long addr, void *buf, size_t size);
/* Whether no VMA of the machine's is there. */
bool vm_is_plain(struct mm_struct *mm, unsigned long addr, size_t len);
/*
 * Reads or writes what a VMA of the machine's shows, as the kernel's own copies
 * do in a task whose real memory is not there.
 */
bool vm_access(struct mm_struct *mm, unsigned long addr, void *buf, size_t size,
	       bool write);

#endif /* MACHINE_KERNEL_VM_H */
