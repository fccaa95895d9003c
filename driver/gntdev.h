/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The grant device: what its parts know of each other.
 *
 * An instance (an open file) has a table of ranges. A range is a set of grant
 * references that one request inserted, and a mapping: pages that mmap puts the
 * granter's frames behind, to be seen by the kernel, and by a program through a
 * window. munmap leaves the range as it was; pages that somebody still uses then
 * are parted from its mapping and retire, until their last user goes. A dma-buf
 * has grants and a mapping of its own, and any number of windows: see dmabuf.h.
 *
 * VMAs do not hold the device's file but another one of the instance: so the
 * release of the device's file tells that the last descriptor is gone, and that
 * of the other one that the last VMA is.
 *
 * Lock hierarchy, outermost first:
 *
 *   mmap_lock		the kernel's; held by mmap, munmap and faults
 *     shown.lock	a PV domain's windows; with windows' locks inside only
 *			when no program runs
 *     instance->lock	the table, the ranges' states and notifications;
 *			a few instructions long, no hypercall inside but one,
 *			for a page whose byte is to be cleared
 *     window->lock	a program's page-table entries in a PV domain; taken
 *			by the MMU notifier too, so nothing is allocated
 *			under it
 *       gntdev_handle_lock	a reader-writer semaphore of the module: readers make
 *			mappings, a writer has all handles that get free
 *         page tables	the kernel's, a spinlock
 *           mapping->lock	the kernel's own mappings of pages that a
 *				program sees; a spinlock
 *   keep.c's lock	kept mappings; a spinlock; taken by who looks for memory,
 *			so anywhere
 *   ports.lock		the event channels that notifications hold; taken
 *			alone
 *
 * The lists of instances and of what waits have locks of their own, holdings.c's and
 * recheck.c's, under which nothing else is taken.
 *
 * User memory is touched under none of them: a fault on it takes mmap_lock.
 */
#ifndef GNTDEV_H
#define GNTDEV_H

#define pr_fmt(fmt) "xen-gntdev: " fmt

#include "outside.h"

/* A range is at most this long (4 GiB), whatever the parameter limit says. */
#define GNTDEV_MAX_RANGE 1048576U

/* Operations in one hypercall: a page of map operations. */
#define GNTDEV_BATCH 128U

/* The same under a spinlock. */
#define GNTDEV_ATOMIC_BATCH 8U

/* Those that a mapping has room for at all times, whoever sees it. */
#define GNTDEV_FEW 16U

/*
 * For memory that a program asks for, in any amount: accounted to it, and refused
 * to it rather than that another program is killed to get it.
 */
#define GFP_PROGRAM (GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/*
 * What an instance keeps for copies to come, one for each that is under way at
 * once: as many as there are processors for in most domains.
 */
#define COPY_SPARES 4U

/* What an instance serves that is not restricted; and the domain of many. */
#define ANY_DOMAIN U32_MAX

struct area;
struct copy_batch;
struct dma_memory;
struct exported;
struct lent;
struct mapping;

/*
 * Table: the ranges of an instance, ordered by index. Guarded by the
 * instance's lock.
 */
struct table {
	struct rb_root root;
	u64 next; /* index of the next range, bytes; never goes back */
	u64 grants; /* grants of all ranges */
	u32 ranges;
};

/* Mappings whose pages wait for the next range. Guarded by keep.c's lock. */
struct keep {
	struct list_head node; /* of all that have any */
	struct list_head list; /* the longest kept one first */
	u32 mappings;
	u32 pages; /* of all of them */
};

/* Holder: who got something, for the list of holdings. */
struct holder {
	pid_t pid; /* the process's, as the whole system counts them */
	u32 since; /* seconds, of the monotonic clock */
	char command[TASK_COMM_LEN];
};

/* What an instance has done: pages, segments of copies, their bytes. */
struct tally {
	u64 maps;
	u64 unmaps;
	u64 copies;
	u64 bytes;
};

/* Instance: an open file, and what outlives that: VMAs, dma-bufs, imports. */
struct instance {
	struct kref refs; /* one of each of its files, exports and imports */
	struct mutex lock; /* see the hierarchy above */
	struct list_head node; /* of all instances */
	u64 number; /* constant, and no other's */
	struct holder opener; /* constant */
	uid_t owner; /* the opener's user; constant */
	struct tally __percpu *tally; /* NULL until there is something to count */
	struct table table; /* guarded by lock */
	struct keep keep;
	struct list_head exports; /* live dma-bufs; guarded by lock */
	struct list_head imports; /* guarded by lock */
	u64 buffers; /* exports and imports ever made; guarded by lock */
	u64 exported_grants; /* grants of its dma-bufs; guarded by lock */
	u64 imported_grants; /* also of departed imports; guarded by lock */
	u64 window_pages; /* that mmaps of these show; guarded by lock */
	u32 max_grants; /* guarded by lock */
	bool closed; /* no descriptor is left; guarded by lock */
	u32 only; /* domain that it serves, or ANY_DOMAIN; guarded by lock */
	/* Which VMAs hold; there since before the first range, then constant. */
	struct file *vma_file;
	/* Of that file, so that entries can be found by their index alone. */
	struct address_space vma_mapping;
	u64 handles; /* the hypervisor's, at most; guarded by lock */
	/* Each taken and put back with xchg(). */
	struct copy_batch *spares[COPY_SPARES];
};

/*
 * Life of a range:
 *
 *   NEW --> INSERTED --> MAPPING --> MAPPED --> UNMAPPING --+
 *    |       ^   |  ^       |                               |
 *    |       |   |  +-------+ mmap failed                   |
 *    |       +---|------------------------------------------+
 *    +---> GONE <+------------------------------------------+ no descriptor left
 *
 * NEW: its index is being told to the caller; no request finds it yet.
 * Transitions are gntdev_range_enter()'s alone.
 */
enum range_state {
	RANGE_NEW,
	RANGE_INSERTED,
	RANGE_MAPPING,
	RANGE_MAPPED,
	RANGE_UNMAPPING,
	RANGE_GONE,
};

/* Room for the operations of one hypercall. */
union ops {
	struct gnttab_map_grant_ref *map;
	struct gnttab_unmap_grant_ref *unmap;
};

/* What is still held for others, and for whom it was got. */
struct held {
	const char *kind; /* NULL: it is not listed */
	u32 count; /* pages; may be read at any time */
	struct ioctl_gntdev_grant_ref first;
	struct holder holder;
};

/* Recheck: part of a thing that is looked at until it is over. */
struct recheck {
	struct held held; /* filled in before it begins, its kind at least */
	struct list_head node; /* of those with a kind; recheck.c's */
	u64 number; /* the same */
	struct delayed_work work;
	unsigned long interval; /* jiffies, until the next look */
	unsigned long since; /* jiffies, when it began */
	bool (*is_over)(struct recheck *r);
};

/* In the domid of a grant that a program wants read-only in its area's slot. */
#define GRANT_READONLY BIT(31)

static inline u32 domid_of(const struct ioctl_gntdev_grant_ref *grant)
{
	return grant->domid & ~GRANT_READONLY;
}

/* Has another domain's frame. The first bit alone is the swap cache's too. */
static inline bool is_foreign(struct page *page)
{
	return PageForeign(page) && PagePrivate(page);
}

/* Of a grant that the hypervisor did not unmap when it was told to. */
#define LOST_HANDLE ((grant_handle_t)~1U)

/* Of one that went when the domain was saved, while somebody had its page. */
#define VOID_HANDLE ((grant_handle_t)~2U)

static inline bool handle_is_good(grant_handle_t handle)
{
	/* The others are above, as is INVALID_GRANT_HANDLE. */
	return handle < VOID_HANDLE;
}

/* Notification of one page; action 0 means none. */
struct notify {
	u32 port; /* a reference is held if action has SEND_EVENT */
	u16 byte; /* offset in the page */
	u8 action; /* UNMAP_NOTIFY_* */
	int irq; /* the kernel's for that port, when the reference was taken */
};

/* Range: in the table until it is removed; then its remover frees it. */
struct grant_range {
	struct rb_node node;
	u64 index; /* bytes, a multiple of the page size */
	u32 count;
	enum range_state state; /* guarded by the instance's lock */
	/* Who changes the state has it. NULL if it retired as a whole. */
	struct mapping *mapping;
	struct area *area; /* of an area, whose slots are filled one by one */
	struct lent *lent; /* of the caller's own memory; never mmapped */
	u32 domid; /* of all of its grants, or ANY_DOMAIN */
	bool writable; /* of the mapping; valid from MAPPING on */
	bool clears; /* a byte, at munmap; set under the instance's lock */
	u32 vmas; /* VMAs of the mapping; guarded by the instance's lock */
	struct notify *notify; /* one a page, or NULL; the same lock */
	/* Who inserted or, later, mapped it; guarded by the same lock. */
	struct holder holder;
	struct ioctl_gntdev_grant_ref *grants;
	void *apart; /* the grants, if they are no part of its allocation */
};

/*
 * Window: pages of a mapping as a VMA shows them. The mapping of a range has one
 * window, which is part of it. In a PV domain, it is a set of grant mappings: the
 * entries of the program's page table.
 */
struct window {
	struct mapping *mapping;
	struct exported *exported; /* whom it counts for: an mmap of a dma-buf */
	unsigned long start; /* user address */
	u32 first, count; /* which pages of the mapping */
	bool writable;
	bool kernel; /* seen by the kernel, not by a program */
	bool ending; /* no entry comes back; guarded by lock */
	refcount_t vmas; /* of a dma-buf; a range counts its own */

	struct mutex lock; /* see the hierarchy above */
	struct mmu_interval_notifier notifier;
	struct list_head shown; /* of a program's in a PV domain */
	/* Changed under lock and the mapping's lock, so either will do. */
	grant_handle_t *handles;
	u64 *ptes; /* machine addresses; guarded by lock */
	union ops ops; /* guarded by lock */
};

/*
 * Mapping: a range's, a dma-buf's, or of pages that retired. Its arrays, and those
 * of its window, are one allocation, with it or apart from it.
 *
 * While a program's entries are grant mappings themselves, the kernel needs none
 * of its own: it gets them page by page, when somebody asks for a page, or before
 * entries go that are to come back. See gntdev_grants_ensure().
 */
struct mapping {
	const struct ioctl_gntdev_grant_ref *grants; /* NULL once retired */
	struct grant_range *range; /* NULL for a dma-buf, and once retired */
	const struct holder *holder; /* NULL once retired */
	struct instance *inst; /* the range's */
	struct dma_memory *memory; /* what the pages are, if not the kernel's */
	u32 count;
	u32 held; /* pages that have grants behind them, or may have */
	u32 missing; /* pages that are not there, as NULL in their place says */
	u32 restores; /* as many there had been when it was mapped */
	bool writable;
	spinlock_t lock; /* see the hierarchy above */
	struct page **pages; /* NULL where one retired, or is lost for ever */
	/*
	 * Of the last mmap: the first @okay pages were mapped, the next @answered
	 * have @statuses, none was asked for the others. Guarded as the range.
	 */
	u32 okay, answered;
	s16 *statuses; /* of a batch at most */
	/*
	 * Of the kernel's mapping of each page, or INVALID_GRANT_HANDLE. Guarded
	 * by lock while a program sees the pages.
	 */
	grant_handle_t *handles;
	struct notify *notify; /* from munmap on, what it is to send */
	struct list_head retired; /* where it is kept, or goes from there */
	struct recheck recheck; /* while pages are still in use */
	struct window window; /* of a range */
	union ops ops; /* who may change the mapping may use it */
	u32 room; /* operations in @ops; for more it is got for each hypercall */
	void *apart; /* the arrays, if they are no part of its allocation */
};

/*
 * Mode: how pages with grants behind them get into a program. Chosen once at
 * load; the kernel's own mapping of the pages is the same in both.
 */
struct mode {
	const char *name;
	bool user_grants; /* a program's entries are grant mappings too */
	unsigned long vm_flags;
	const struct vm_operations_struct *vm_ops; /* of a range */
	const struct vm_operations_struct *buffer_vm_ops; /* of a dma-buf */
	const struct vm_operations_struct *area_vm_ops;
	/* Called by mmap. Returns 0 or a negative errno, then has no effect. */
	int (*attach)(struct window *w, struct vm_area_struct *vma);
	/* The same of an area, which shows nothing at first. */
	int (*area_attach)(struct window *w, struct vm_area_struct *vma);
	/* No program sees the pages through this window after it. */
	void (*detach)(struct window *w);
	/*
	 * Called before a byte of a page is to be cleared at its end, with the
	 * window's lock; may be NULL. -EBUSY: the end is now.
	 */
	int (*arm)(struct window *w, u32 i);
};

extern const struct mode gntdev_pv_mode, gntdev_xlat_mode;
extern const struct mode *gntdev_mode;

/* Module-wide counts of pages, for the people who run the host. */
struct counters {
	atomic_long_t mapped; /* mapped in the hypervisor */
	atomic_long_t deferred; /* of these: unmapped by the program, in use */
	atomic_long_t kept; /* for the next range, unmapped */
	atomic_long_t departed; /* of released imports, still mapped by a peer */
	atomic_long_t leaked; /* could not be given back; out of use for ever */
	atomic_long_t handles; /* the hypervisor's, one a mapping of a grant */
};

extern struct counters gntdev_counters;
extern unsigned int gntdev_limit, gntdev_handles;

/* pv_entries.c: of a window whose lock is held, but the first and the last two */
u32 gntdev_pv_entry_flags(const struct window *w);
int gntdev_pv_find_entries(struct vm_area_struct *vma, unsigned long addr,
			   u32 n, u64 *ptes);
int gntdev_pv_map_entry(struct window *w, u32 i, bool writable);
void gntdev_pv_end_entries(struct window *w, u32 first, u32 last,
			   bool may_sleep);
bool gntdev_pv_keep_entries(struct window *w, u32 first, u32 last,
			    bool may_sleep);
bool gntdev_pv_stop(struct window *w, const struct mmu_notifier_range *range,
		    u32 *first, u32 *last);
int gntdev_pv_map_entries(struct window *w);
bool gntdev_pv_unmap_entries(struct window *w);

/* reserve.c */
extern struct rw_semaphore gntdev_handle_lock;
bool gntdev_reserve_give(void);
void gntdev_reserve_refill(void);
void gntdev_reserve_look_after(void);
void gntdev_reserve_init(void);
void gntdev_reserve_exit(void);
void gntdev_reserve_renew(void);

/* suspend.c */
extern u32 gntdev_restores;
void gntdev_suspend_add(struct window *w);
void gntdev_suspend_remove(struct window *w);
int __init gntdev_suspend_init(void);
void gntdev_suspend_exit(void);

/* table.c: callers hold the instance's lock */
int gntdev_table_insert(struct table *table, struct grant_range *range);
void gntdev_table_remove(struct table *table, struct grant_range *range);
struct grant_range *gntdev_table_find(const struct table *table, u64 index);
struct grant_range *gntdev_table_from(const struct table *table, u64 index);

/* range.c */
const struct ioctl_gntdev_grant_ref *
gntdev_range_first(const struct grant_range *range);
void gntdev_range_enter(struct instance *inst, struct grant_range *range,
			enum range_state state);
struct grant_range *gntdev_range_find(struct instance *inst, u64 index);
int gntdev_range_insert(struct instance *inst, struct grant_range *range);
void gntdev_range_publish(struct instance *inst, struct grant_range *range,
			  bool told);
void gntdev_range_free(struct grant_range *range);
struct grant_range *gntdev_range_alloc(u32 count);
long gntdev_range_add(struct instance *inst, struct grant_range *range,
		      u64 __user *index);
void gntdev_range_remove_unmapped(struct instance *inst);
long gntdev_range_map_request(struct instance *inst, void __user *arg);
long gntdev_range_unmap_request(struct instance *inst, void __user *arg);

/* mapping.c */
int gntdev_mapping_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long gntdev_mapping_area(struct file *file, unsigned long addr,
				  unsigned long len, unsigned long pgoff,
				  unsigned long flags);
void gntdev_mapping_open(struct vm_area_struct *vma);
void gntdev_mapping_close(struct vm_area_struct *vma);
int gntdev_mapping_may_split(struct vm_area_struct *vma, unsigned long addr);
struct page *gntdev_mapping_page(struct vm_area_struct *vma,
				 unsigned long addr);
struct mapping *gntdev_mapping_create(u32 count, u32 dma_flags);
void gntdev_mapping_begin(struct mapping *m,
			  const struct ioctl_gntdev_grant_ref *grants,
			  bool writable);
struct mapping *gntdev_mapping_split(struct mapping *m);
void gntdev_mapping_free(struct mapping *m);
void gntdev_mapping_take_notify(struct mapping *m);
bool gntdev_mapping_holds(const struct mapping *m, u32 i);
long gntdev_mapping_offset_request(struct instance *inst, void __user *arg);

/* window.c */
size_t gntdev_window_size(u32 count);
u32 gntdev_window_room(u32 count);
void gntdev_window_init(struct window *w, struct mapping *m, u32 first,
			u32 count, void *arrays);
void gntdev_window_forget(struct window *w);
struct window *gntdev_window_create(struct mapping *m, u32 first, u32 count);
void gntdev_window_free(struct window *w);
int gntdev_window_attach(struct window *w, struct vm_area_struct *vma,
			 int (*attach)(struct window *w,
				       struct vm_area_struct *vma));
int gntdev_window_show(struct window *w, struct vm_area_struct *vma);
void gntdev_window_open(struct vm_area_struct *vma);
void gntdev_window_close(struct vm_area_struct *vma);

/* memory.c */
void *gntdev_memory_for_program(size_t size);
void *gntdev_memory_with_array(size_t head, size_t array, void **apart);
int gntdev_memory_add_pages(struct mapping *m);

/* grants.c */
int gntdev_grants_status_errno(s16 status);
void gntdev_grants_note(const struct ioctl_gntdev_grant_ref *grant, s16 status);
int gntdev_grants_map(struct mapping *m);
int gntdev_grants_map_one(struct mapping *m, u32 i);
void gntdev_grants_map_missing(struct mapping *m);
void gntdev_grants_unmap_one(struct mapping *m, u32 i);
void gntdev_grants_forget(struct mapping *m);
int gntdev_grants_ensure(struct window *w, u32 first, u32 n);
u32 gntdev_grants_unmap(struct mapping *m);
void gntdev_grants_free_pages(struct mapping *m);
void gntdev_grants_warn(const struct gnttab_unmap_grant_ref *op);

/* dmabuf_ops.c, dma_memory.c; dmabuf_none.c for kernels without dma-bufs */
void gntdev_export_give_window(struct exported *exp, u32 count);
int gntdev_dma_memory_alloc(struct mapping *m, u32 flags);
void gntdev_dma_memory_put_pages(struct mapping *m, u32 first, u32 n);
struct dma_memory *gntdev_dma_memory_like(const struct dma_memory *other,
					  u32 count);
void gntdev_dma_memory_move(struct dma_memory *to, u32 i,
			    struct dma_memory *from, u32 j);
void gntdev_dma_memory_free(struct dma_memory *memory);

/* retire.c */
struct mapping *gntdev_retire_pages(struct mapping *m);
bool gntdev_retire_part(struct mapping *m,
			const struct ioctl_gntdev_grant_ref *first);
void gntdev_retire_mapping(struct mapping *m);
void gntdev_retire_soon(struct mapping *m);

/* recheck.c */
void gntdev_recheck_begin(struct recheck *r,
			  bool (*is_over)(struct recheck *r));
void gntdev_recheck_at_once(struct recheck *r,
			    bool (*is_over)(struct recheck *r));
int __init gntdev_recheck_init(void);
void gntdev_recheck_exit(void);
void gntdev_recheck_over(struct recheck *r);
bool gntdev_recheck_each(u64 *next,
			 bool (*tell)(const struct held *held, void *arg),
			 void *arg);

/* keep.c */
struct mapping *gntdev_keep_take(struct keep *keep, u32 count);
void gntdev_keep_put(struct keep *keep, struct mapping *m,
		     struct list_head *unwanted);
void gntdev_keep_free(struct list_head *unwanted);
void gntdev_keep_free_all(struct keep *keep);
int __init gntdev_keep_init(void);
void gntdev_keep_exit(void);

/* notify.c */
long gntdev_notify_request(struct instance *inst, void __user *arg);
bool gntdev_notify_clears(const struct grant_range *range);

/* Clears the byte of a page that the kernel has mapped, if it is to be. */
static inline void notify_clear(const struct notify *notify, struct page *page)
{
	u8 *bytes = page_address(page);

	if (notify->action & UNMAP_NOTIFY_CLEAR_BYTE)
		WRITE_ONCE(bytes[notify->byte], 0);
}

void gntdev_notify_send(struct notify *notify, u32 count);

/* refs.c */
int gntdev_refs_take(grant_ref_t *refs, u32 count);
void gntdev_refs_give(const grant_ref_t *refs, u32 count);

/* lent.c */
long gntdev_lent_grant_request(struct instance *inst, void __user *arg);
long gntdev_lent_ungrant_request(struct instance *inst, void __user *arg);
void gntdev_lent_end(struct grant_range *range);

/* status.c */
void gntdev_status_note(struct mapping *m, u32 first,
			const struct gnttab_map_grant_ref *ops, u32 n);
long gntdev_status_request(struct instance *inst, void __user *arg);

/* restrict.c */
bool gntdev_restrict_allows(const struct instance *inst, u32 domid);
long gntdev_restrict_request(struct instance *inst, void __user *arg);

/* ports.c */
void gntdev_ports_init(void);
int gntdev_port_hold(u32 port, int *irq);
bool gntdev_port_is_same(u32 port, int irq);
void gntdev_port_drop(int irq, u32 pages);

/* xlat.c */
bool gntdev_xlat_refuses(u32 domid);

/* copy.c */
long gntdev_copy_request(struct instance *inst, void __user *arg);
long gntdev_copy_request_compat(struct instance *inst, void __user *arg);
void gntdev_copy_free_spares(struct instance *inst);

/* area.c */
long gntdev_area_create_request(struct instance *inst, void __user *arg);
long gntdev_area_request(struct instance *inst, void __user *arg, bool map);
int gntdev_area_show(struct grant_range *range, struct vm_area_struct *vma);
u32 gntdev_area_close(struct mapping *m);
bool gntdev_area_has_others(struct area *area, u32 domid);
void gntdev_area_pv_forget(struct window *w);
u32 gntdev_area_slot_domain(const struct grant_range *range, u32 slot);
bool gntdev_area_shows(const struct grant_range *range, u32 slot);
void gntdev_area_put(struct area *area);

/* instance.c */
int gntdev_instance_open(struct inode *inode, struct file *file);
int gntdev_instance_release(struct inode *inode, struct file *file);
int gntdev_instance_prepare(struct instance *inst);
void gntdev_instance_put(struct instance *inst);
bool gntdev_instance_takes(struct instance *inst, u32 count);
bool gntdev_instance_has_room(const struct instance *inst, u32 count);
int gntdev_instance_take_handles(struct instance *inst, u32 count);
void gntdev_instance_give_handles(struct instance *inst, u32 count);
void gntdev_instance_show(struct seq_file *seq, struct file *file);
long gntdev_instance_max_request(struct instance *inst, void __user *arg);

/* holdings.c */
void gntdev_holdings_add(struct instance *inst);
void gntdev_holdings_remove(struct instance *inst);
void __init gntdev_holdings_init(void);
void gntdev_holdings_exit(void);

/* tally.c */
int gntdev_tally_prepare(struct instance *inst);
struct tally gntdev_tally_read(const struct instance *inst);

/* limits.c */
void gntdev_limits_grant_frames(u32 *used, u32 *most);
void gntdev_limits_warn_handles(void);
void gntdev_limits_warn_references(u32 count);

/* traced.c */
long gntdev_traced_request(struct instance *inst, unsigned int cmd,
			   void __user *arg,
			   long (*serve)(struct instance *inst,
					 unsigned int cmd, void __user *arg));
void gntdev_traced_mmap(struct instance *inst, u64 index, u32 count,
			bool writable, int err, u64 ns);

/* The caller has it from now on. */
static inline void holder_set(struct holder *holder)
{
	holder->pid = task_tgid_nr(current);
	holder->since = ktime_get_seconds();
	/* Without a lock: it may be changed just now, but always ends. */
	memcpy(holder->command, current->group_leader->comm, TASK_COMM_LEN);
}

#endif /* GNTDEV_H */
