/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A stress program for the grant device: a table of operations that many
 * threads of many processes run at random against /dev/xen/gntdev, while a
 * controller, which grants the pages, kills the processes at random times.
 *
 * Words used throughout: a *worker* is one process of a slot, a *generation*
 * counts the processes that the slot has had, an *own page* is a page of the
 * pool that one thread alone writes (so that its content is known), a *common
 * page* is one that anybody maps.
 */
#ifndef STRESS_H
#define STRESS_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
/* The controller may be a 64-bit program and a worker a 32-bit one. */
typedef uint64_t __attribute__((aligned(8))) u64;

#define PAGE 4096u
#define WORKERS_MAX 16u
#define THREADS_MAX 16u
#define OPERATIONS_MAX 96u
#define POOL_MAX 4096u
#define OWN_PAGES 16u
#define COMMON_PAGES 128u

#define INSTANCES 2u
#define RANGES 8u
#define RANGE_PAGES 256u
#define NOTIFIES 4u
#define STALE 16u
#define LOCAL_PAGES 64u
#define BOARDS 3u
#define BOARD_ENTRIES 48u
#define DISK_REGION 65536u

/* Common pages carry a tag that nobody writes; what follows is anybody's. */
#define TAG_MAGIC 0x74676e6765747361ull
#define TAG_BYTES 64u
#define NO_GRANT 0x00fff000u
#define NO_INSTANCE INSTANCES

enum finding_class {
	FOUND_CONTRACT,
	FOUND_DATA,
	FOUND_STUCK,
	FOUND_GRANT,
	FOUND_LOG,
	FOUND_CLASSES,
};

/* What a thread is doing, for the controller's watch. */
struct thread_slot {
	u64 since_ns;
	u64 done;
	u32 operation; /* 0: between two operations, else its number + 1 */
	u32 pid;
	u32 tid;
	u32 generation;
	u32 port; /* an event channel port that this process has bound */
	u32 reported;
};

/* Ranges that somebody has inserted into an instance that many share. */
struct board {
	u64 entry[BOARD_ENTRIES]; /* page number of the index << 16 | count */
};

/* One piece of memory that the controller and all workers share. */
struct shared {
	u32 size; /* guards against a worker program of another build */
	u32 operations;
	u64 seed;
	u64 pool_index;
	u32 workers;
	u32 threads;
	u32 pages;
	u32 domid; /* of the granter */
	u32 own_domid;
	u32 remote; /* the granter is another domain */
	u32 stop;
	u32 overtime; /* the time is over, but not all has been done */
	u32 paravirtual;
	u32 has_disk;
	u32 limit;
	char disk[128];
	u32 findings[FOUND_CLASSES];
	u32 printed;
	u64 mapped;
	u64 no_memory;
	u64 last_revoke_ns;
	u64 done[OPERATIONS_MAX];
	u64 longest_ns[OPERATIONS_MAX];
	u8 enabled[OPERATIONS_MAX];
	u32 ref[POOL_MAX];
	struct board board[BOARDS];
	struct thread_slot slot[WORKERS_MAX][THREADS_MAX];
};

struct notify {
	u32 page;
	u32 offset;
	u32 action;
};

struct instance {
	int fd;
	u32 max;
	u32 in_table;
	u64 next_stale;
	struct {
		u64 index;
		u32 count;
	} stale[STALE];
	bool fresh;
};

struct range {
	bool live;
	bool bad; /* holds a reference that maps nothing */
	bool used; /* was mapped before */
	u32 instance; /* NO_INSTANCE: its descriptor is closed */
	u32 count;
	u64 index;
	u8 *addr;
	int prot; /* 0: not mapped */
	int reach; /* PROT_WRITE too when it was mapped writable */
	struct notify notify[NOTIFIES];
	u16 page[RANGE_PAGES]; /* of the pool */
	const char *before; /* the last operation that meddled with it */
};

struct ctx {
	u32 worker;
	u32 generation;
	u32 thread;
	u32 operation;
	u64 rng;
	struct thread_slot *slot;
	struct instance instance[INSTANCES];
	struct range range[RANGES];
	u32 first_page;
	u8 *shadow; /* what the own pages must hold */
	u8 *arena; /* addresses that only this thread maps at */
	u8 *local; /* ordinary memory */
	u8 *seen; /* a page as the granter sees it, if that is elsewhere */
	int copy_fd;
	u8 *request; /* room for one request */
	int request_fd;
	int evtchn;
	int gntalloc;
	int disk;
	u64 disk_offset;
	unsigned long aio;
	u32 near_port;
	u32 far_port;
	sigjmp_buf fault;
	volatile sig_atomic_t guarded;
	bool trouble; /* a finding: what the model says is void */
};

struct operation {
	const char *name;
	u32 weight; /* 0: not picked, a switch for others */
	bool (*run)(struct ctx *c); /* false: could not be done here */
};

extern struct shared *shm;
extern int shm_fd;
extern int pool_fd;
extern int common_fd[BOARDS];
extern struct board own_board;
extern bool fault_in_request; /* device.c */
extern bool index_checked, mapped_again; /* model.c */
extern const struct operation operations[];
extern const u32 operation_count;
extern __thread struct ctx *self;

/* random.c */
u64 mix(u64 x);
u32 rnd(struct ctx *c, u32 below);
bool chance(struct ctx *c, u32 percent);
void fill_random(struct ctx *c, u8 *to, u32 bytes);
u64 now_ns(void);
void pause_ms(u32 ms);

/* report.c */
void finding(struct ctx *c, enum finding_class class, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void controller_finding(enum finding_class class, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool expect(struct ctx *c, long rc, const char *what, const int *allowed);
#define EXPECT(c, rc, what, ...) \
	expect(c, rc, what, (const int[]){__VA_ARGS__, -1})

/* device.c: every call returns a negative errno on failure */
void *request_place(struct ctx *c, const void *content, u32 bytes);
long device_open(void);
long device_map(struct ctx *c, int fd, u32 count, const u32 *refs, u64 *index);
long device_map_from(struct ctx *c, int fd, u32 domid, u32 count,
		     const u32 *refs, u64 *index);
long device_unmap(struct ctx *c, int fd, u64 index, u32 count);
long device_offset(struct ctx *c, int fd, const void *addr, u64 *offset,
		   u32 *count);
long device_set_max(struct ctx *c, int fd, u32 count);
long device_notify(struct ctx *c, int fd, u64 index, u32 action, u32 port);
struct gntdev_grant_copy_segment;
long device_copy(struct ctx *c, int fd, u32 count,
		 struct gntdev_grant_copy_segment *segments);
long device_mmap(u8 **addr, void *at, u32 count, int prot, int flags, int fd,
		 u64 index);
long device_munmap(void *addr, u32 count);
long raw_ioctl(int fd, unsigned long request, void *arg);
bool safe_read(struct ctx *c, void *to, const void *from, u32 bytes);
bool safe_write(struct ctx *c, void *to, const void *from, u32 bytes);

/* evtchn.c */
long evtchn_pair(int near_fd, int far_fd, u32 *near_port, u32 *far_port);
void evtchn_unbind(int fd, u32 port);
void evtchn_drain(int fd);
bool evtchn_wait(int fd, u32 port, u32 ms);

/* family.c: children of this worker, which share its descriptors */
pid_t family_fork(void);
int family_wait(pid_t pid);
u32 family_epoch(void);
bool family_quiet(u32 epoch);

/* holders.c */
void show_holders(u64 index);

/* model.c */
#define NO_PAGE 0xffffu
enum want {
	WANT_INSERTED,
	WANT_MAPPED,
	WANT_WRITABLE
};
u8 *range_page(struct range *r, u32 i);
bool is_own(struct ctx *c, u32 page);
u8 *shadow_of(struct ctx *c, u32 page);
u32 ref_of(struct ctx *c, u32 page);
void own_pages_reset(struct ctx *c);
void page_wrote(struct ctx *c, u32 page, u32 offset, const void *from,
		u32 bytes);
bool instance_open(struct ctx *c, u32 n);
void instance_close(struct ctx *c, u32 n);
struct range *range_insert(struct ctx *c, u32 count, bool own, bool bad);
struct range *range_new(struct ctx *c);
bool range_map(struct ctx *c, struct range *r, int prot);
bool range_munmap(struct ctx *c, struct range *r);
bool range_remove(struct ctx *c, struct range *r);
long unmap_patiently(struct ctx *c, int fd, u64 index, u32 count);
struct range *range_want(struct ctx *c, enum want want);
struct range *range_want_own(struct ctx *c, enum want want);
bool range_check(struct ctx *c, struct range *r);
bool range_check_page(struct ctx *c, struct range *r, u32 i);
bool range_write_page(struct ctx *c, struct range *r, u32 i);
void range_note(struct ctx *c, struct range *r);
bool table_has(struct ctx *c, u32 instance, u64 index, u32 count);
u32 range_armed(const struct range *r, u32 action);
void abandon(struct ctx *c);

/* table.c */
int operation_find(const char *name);
bool operation_lacks(u32 n);
u32 operation_pick(struct ctx *c);
void operation_run(struct ctx *c, u32 n);

/* granter.c: the pages as their granter sees them */
bool granter_attach(void);
void granter_detach(void);
const u8 *granter_view(struct ctx *c, u32 page);
void granter_write(struct ctx *c, u32 page, u32 offset, const void *from,
		   u32 bytes);
bool granter_tag_pages(void);

/* pool.c, remote.c, log.c, watch.c, controller.c: the controller's side */
long pool_create(void);
void pool_prove_free(void);
long remote_create(void);
void remote_prove_free(void);
long log_open(void);
void log_scan(void);
int controller_run(u32 seconds, u32 kill_ms, const char *program);
void watch_threads(void);
void watch_dump(pid_t pid);

/* worker.c */
#define WORKER_FD 200 /* the first of the descriptors handed over by exec */
int worker_main(u32 worker, u32 generation);

/* operations */
#define OPERATION(name) bool op_##name(struct ctx *c)
OPERATION(map);
OPERATION(mmap);
OPERATION(munmap);
OPERATION(unmap);
OPERATION(unmap_busy);
OPERATION(unmap_wrong);
OPERATION(mmap_wrong);
OPERATION(mmap_private);
OPERATION(mmap_twice);
OPERATION(mmap_over);
OPERATION(munmap_part);
OPERATION(get_offset);
OPERATION(get_offset_wrong);
OPERATION(set_max);
OPERATION(access);
OPERATION(close_mapped);
OPERATION(dup);
OPERATION(pass_fd);
OPERATION(bulk);
OPERATION(many);

OPERATION(notify);
OPERATION(notify_cancel);
OPERATION(notify_bad);
OPERATION(notify_foreign_port);
OPERATION(notify_read_only);
OPERATION(notify_then_read_only);
OPERATION(notify_unmapped);
OPERATION(notify_evtchn_closed);

OPERATION(copy);
OPERATION(copy_many);
OPERATION(copy_refused);
OPERATION(copy_bad_pointer);
OPERATION(copy_bad_ref);
OPERATION(copy_in_grant);
OPERATION(copy_nothing);

OPERATION(mprotect);
OPERATION(mprotect_read_only);
OPERATION(mprotect_part);
OPERATION(madvise);
OPERATION(mremap);
OPERATION(mremap_size);
OPERATION(remap_pages);
OPERATION(page_walk);
OPERATION(soft_dirty);
OPERATION(clear_refs);
OPERATION(mlock);
OPERATION(mbind);
OPERATION(futex);
OPERATION(fork);
OPERATION(fork_dofork);
OPERATION(exec);

OPERATION(direct_write);
OPERATION(direct_read);
OPERATION(direct_in_flight);
OPERATION(vmsplice_in_flight);
OPERATION(pipe_copy);
OPERATION(process_vm);
OPERATION(proc_mem);

OPERATION(bad_ref);
OPERATION(ref_zero);
OPERATION(big_domid);
OPERATION(bad_count);
OPERATION(bad_pointer);
OPERATION(read_only_request);
OPERATION(request_in_grant);
OPERATION(wild_ioctl);
OPERATION(revoke);
OPERATION(revoke_mapped);
OPERATION(signal);
OPERATION(first_mmap);

OPERATION(area);
OPERATION(area_common);
OPERATION(lend);
OPERATION(lend_wrong);
OPERATION(restrict);
OPERATION(map_status);

OPERATION(common_map);
OPERATION(common_mmap);
OPERATION(common_unmap);
OPERATION(common_notify);
OPERATION(common_set_max);
OPERATION(common_copy);
OPERATION(common_reopen);
OPERATION(window_mmap);
OPERATION(window_munmap);
OPERATION(window_access);
OPERATION(window_protect);
OPERATION(window_advise);
OPERATION(window_mremap);
OPERATION(window_offset);
OPERATION(window_peek);

#endif
