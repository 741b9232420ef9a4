/* SPDX-License-Identifier: MIT */
/*
 * Program memory. struct aspace = one host address space (one per kProc): the map of everything in it. struct mm = one program's view:
 * several mm's live in one aspace (vfork+exec'd children). Every program mapping is made by host_mmap at an address chosen here.
 *
 * Locks: aspace->lock (mutex) covers its tree and the fields of its mm's; host calls are made under it. It nests inside inode locks
 * (windows): nothing here calls into fs/ with it held, objects whose last reference goes are freed after it is released. Operations that change host mappings (all sys_-like functions below) run only on a uThread of the
 * mm's own kProc; queries (vma_for_each, usage) run anywhere.
 *
 * The memory limit (--mem). Linux's default overcommit is imitated: PROT_NONE and MAP_NORESERVE reservations cost nothing; a single
 * request larger than the limit is refused. Accessible private-writable and shared-anonymous bytes are "committed"; committed bytes are
 * charged (mem_charge) when they appear. When the charge does not fit, or most of the limit is charged, the aspace's residency is
 * measured (mincore) and the charge is corrected to it: untouched stacks and heaps then weigh nothing. Only if even the measured charge
 * plus the request exceeds the limit, the program gets ENOMEM. A forked child is charged for what it has beyond its parent's pages.
 */
#ifndef USERLIB_PROC_MM_H
#define USERLIB_PROC_MM_H

#include "userlib/file/file.h"
#include "userlib/proc/vma.h"
#include "userlib/rt/lock.h"

#define MM_LOW 0x10000ull		/* mmap_min_addr */
#define MM_TASK_SIZE 0x7ffffffff000ull	/* end of the user half */
#define MM_AUXV_MAX 26
#define MM_NR_WINDOWS 8

struct mm_window { /* fs/: a read-only view of a host file */
	u64 id, off; /* inode unique id; window-aligned offset */
	u64 addr;    /* 0 = free slot */
	u32 users;
	u32 stamp;
};

struct aspace {
	struct ref ref;
	struct mutex lock;
	struct vma_tree tree;	 /* [lock] */
	struct list mms;	 /* [lock] struct mm.link */
	u64 mmap_base;		 /* [I] top-down searches start here */
	u64 committed, charged;	 /* [lock] see above */
	u64 measured_commit;	 /* [lock] committed at the last measurement */
	u64 fork_shared;	 /* [lock] bytes that came with the fork */
	struct vm_object *dead;	 /* [lock] to be freed once the lock is released */
	u32 window_clock;	 /* [lock] */
	struct mm_window windows[MM_NR_WINDOWS]; /* [lock] */
};

/* Bytes. Resident: measured only when called in the mm's own kProc, else an upper estimate. */
struct mm_usage {
	u64 size, peak, resident, shared, text, data, stack, locked, lib;
};

struct mm {
	struct ref ref;
	struct aspace *as;  /* [I] reference */
	struct list link;   /* [as->lock] */
	u64 id;		    /* [I] never reused: private futex keys */
	u64 start_code, end_code, start_data, end_data; /* [as->lock] set by the loader; PR_SET_MM not offered */
	u64 start_brk, brk; /* [as->lock] */
	u64 start_stack, stack_low, stack_high;
	u64 arg_start, arg_end, env_start, env_end;
	u64 total_vm, data_vm, stack_vm, exec_vm, locked_vm; /* [as->lock] bytes */
	u64 hiwater_vm;
	u64 vdso;	    /* address or 0 */
	u32 lock_future;    /* mlockall(MCL_FUTURE) */
	u32 late;	    /* [a] has or had mappings that faults fill: system calls look first (uaccess_prepare) */
	u32 released;	    /* [as->lock] mappings are gone */
	u64 auxv[2 * MM_AUXV_MAX];
	u32 auxv_len;	    /* bytes */
	struct path exe;    /* [I] once running: reference; mnt NULL = none */
	u32 exe_denies;	    /* we hold one of its inode's write refusals */
	struct spinlock usage_lock;
	u64 usage_changes, usage_faults; /* [usage_lock] what `usage` is of; 0: nothing yet */
	struct mm_usage usage;		 /* [usage_lock] */
};

/* Once at boot, after fs: file windows and truncation reach here through fs/'s hooks. */
void mm_init(void);

/* --- life --- */
struct aspace_range { u64 start, end; };
/* reserved: arena, kernel image, host stack ...: never touched. NULL = no memory. */
struct aspace *aspace_create(const struct aspace_range *reserved, unsigned nr_reserved);
static inline struct aspace *aspace_get(struct aspace *as) { ref_get(&as->ref); return as; }
void aspace_put(struct aspace *as);
/* An empty view in `as`; the caller holds the reference. */
struct mm *mm_create(struct aspace *as);
static inline struct mm *mm_get(struct mm *mm) { ref_get(&mm->ref); return mm; }
/*
 * Drops a reference. The last one frees the bookkeeping only; host mappings must be gone (mm_release) unless the whole kProc is ending:
 * in that case no host call is made.
 */
void mm_put(struct mm *mm);
/* Sets (NULL: drops) the executed file, which cannot be written while it is set. */
void mm_set_exe(struct mm *mm, const struct path *exe);
/* exec or exit while the kProc goes on: unmaps all of mm. Runs in the mm's own kProc, on a kernel stack. */
void mm_release(struct mm *mm);
/* Only this mm is left in its aspace (exec may reuse the kProc for a fixed-address program after mm_release). */
bool mm_is_alone(struct mm *mm);

/*
 * fork. begin: copies the bookkeeping of `mm` into a new aspace and mm, and returns with the parent's aspace locked, so that nothing
 * changes until the host fork has happened. new_as comes with a reference for the new kProc (kproc_free drops it). The parent then
 * calls aspace_fork_end (failed_new_mm NULL = the fork succeeded; else it failed and that mm is dropped). The child's first uThread
 * calls mm_after_fork_child before it touches program memory: it unmaps what belongs to other programs of the parent's address space.
 */
int aspace_fork_begin(struct mm *mm, struct aspace **new_as, struct mm **new_mm) must_check;
void aspace_fork_end(struct mm *parent, struct mm *failed_new_mm);
void mm_after_fork_child(struct mm *mm);

/* --- system calls; addresses and flags raw from the program. Results as the system call's. --- */
long mm_mmap(struct mm *mm, u64 addr, u64 len, int prot, int flags, struct file *f /* NULL: anonymous */, u64 off);
int mm_munmap(struct mm *mm, u64 addr, u64 len);
int mm_mprotect(struct mm *mm, u64 addr, u64 len, int prot);
long mm_mremap(struct mm *mm, u64 old, u64 old_len, u64 new_len, int flags, u64 new_addr);
int mm_madvise(struct mm *mm, u64 addr, u64 len, int advice);
int mm_mincore(struct mm *mm, u64 addr, u64 len, unsigned char __app *vec);
int mm_msync(struct mm *mm, u64 addr, u64 len, int flags);
int mm_mlock(struct mm *mm, u64 addr, u64 len, unsigned flags /* MLOCK_ONFAULT */);
int mm_munlock(struct mm *mm, u64 addr, u64 len);
int mm_mlockall(struct mm *mm, int flags);
int mm_munlockall(struct mm *mm);
u64 mm_brk(struct mm *mm, u64 addr);

/*
 * Shared objects with an owner (System V segments). new: all pages of the file's first len bytes; a reference for the caller; gone(owner)
 * is called without locks when the last reference goes. References are the mappings and those taken here.
 */
int vmo_new_owned(struct file *f, u64 len, void (*gone)(void *owner), void *owner, struct vm_object **out) must_check;
void vmo_disown_put(struct vm_object *o); /* drops a reference; nobody is told */
bool vmo_get_unless_gone(struct vm_object *o);
u32 vmo_refs(const struct vm_object *o);
void vmo_drop(struct vm_object *o); /* without locks */
/* shmat's mapping of all of o, shared; addr 0: anywhere; replace: over what is there. Its address or -errno. */
long mm_map_object(struct mm *mm, u64 addr, u64 len, int prot, struct vm_object *o, bool replace);
/* Unmaps what mm has left of the mapping of an object with this `gone` that began at addr. *out: the object, referenced. -EINVAL: none. */
int mm_unmap_object(struct mm *mm, u64 addr, void (*gone)(void *owner), struct vm_object **out);

/* --- for the loader and entry/ (same rules, no limits of the program's own apply) --- */
/* Fixed private anonymous memory at a range that must be free: -EADDRINUSE if not. vmf: VMF_* to add. */
int mm_map_anon_at(struct mm *mm, u64 addr, u64 len, int prot, u32 vmf) must_check;
/* File pages at a fixed range that is free or owned by mm (replaced). */
int mm_map_file_at(struct mm *mm, u64 addr, u64 len, int prot, struct file *f, u64 off) must_check;
/* Reserves a free range for a position-independent image (PROT_NONE); 0 = none. high: programs, low in the map with room for brk. */
u64 mm_reserve_image(struct mm *mm, u64 len, u64 align, bool is_program);
/* The same at a fixed place: -EADDRINUSE if any of it is taken. */
int mm_reserve_image_at(struct mm *mm, u64 start, u64 len) must_check;
/* Room that this file's stubs want behind an image of len bytes (mm_reserve_hook). */
u64 mm_stub_room(struct file *f, u64 len);
/* The main stack: `len` bytes of address space, top randomised; sets stack_low/high. */
int mm_map_stack(struct mm *mm, u64 len, bool executable) must_check;
/* Private read+exec mapping of kernel-provided pages (vDSO image: page-aligned, in the arena). Its address or -errno. */
long mm_map_vdso(struct mm *mm, const void *image, u64 len);
/* Is [start, end) free of everything but mappings of `except` (may be NULL)? */
bool aspace_range_available(struct aspace *as, u64 start, u64 end, const struct mm *except);

/*
 * Patched images (entry/). Called without locks when a host file is about to be mapped privately with PROT_EXEC: fills *out and returns 0
 * if the pages shall come from out->fd (same offsets); else any -errno: the original is mapped. stub_delta: stubs are mapped at
 * (address of the mapping) + stub_delta - all of [stub_off, +stub_len) of out->fd, read+exec.
 */
struct mm_exec_patch {
	int fd;
	u64 stub_off, stub_len; /* stub_len 0 = no stubs */
	s64 stub_delta;
};
extern int (*mm_exec_map_hook)(struct mm *mm, struct inode *inode, int host_fd, u64 off, u64 len, struct mm_exec_patch *out);
/* Bytes to keep free behind a first mapping (address hint NULL, private, file offset off) of this file, for its stubs. NULL hook = 0. */
extern u64 (*mm_reserve_hook)(struct inode *inode, int host_fd, u64 off, u64 len);
/* Runs without locks after pages with PROT_EXEC appeared or changed by other means (JIT, mprotect): private patch bookkeeping; may be NULL. */
extern void (*mm_text_changed_hook)(struct mm *mm, u64 start, u64 end);

/* --- faults and queries --- */
#define MM_FAULT_RETRY 0  /* resolved: run the instruction again */
#define MM_FAULT_MAPERR 1 /* SIGSEGV, SEGV_MAPERR */
#define MM_FAULT_ACCERR 2 /* SIGSEGV, SEGV_ACCERR */
#define MM_FAULT_SIGBUS 3 /* SIGBUS, BUS_ADRERR */
/* A program fault at addr, from the trap entry of that uThread (may park). Grows MAP_GROWSDOWN maps, fills file pages that came late. */
int mm_fault(struct mm *mm, u64 addr, bool write, bool exec);
/* Bytes moved between mm's memory at addr, as far as its program may use it, and kernel memory. In mm's own kProc; parks. */
size_t mm_copy(struct mm *mm, u64 addr, void *buf, size_t len, bool write);
/* Same for kernel accesses that failed with EFAULT: true = worth trying again. No spinlock held. */
bool mm_fault_in(struct mm *mm, u64 addr, u64 len, bool write);
/* A file shrank (fs/ calls through a hook): mapped memfs pages behind the end vanish from the caller's address space. */
void mm_inode_truncated(struct inode *inode, u64 new_size);

/* Calls fn for each visible mapping of mm in order, aspace locked; stops at the first non-zero and returns it. fn must not map. */
int mm_for_each_vma(struct mm *mm, int (*fn)(const struct mm *mm, const struct vma *v, void *arg), void *arg);
/* Name column of /proc/PID/maps into buf ("" if none). root: of the reader. */
void mm_vma_name(const struct mm *mm, const struct vma *v, const struct path *root, char *buf, size_t size);
/* Text of /proc/PID/maps, smaps (also smaps_rollup), numa_maps is not offered. emit appends; returns -errno to stop. Any kProc. */
struct mm_text {
	int (*emit)(struct mm_text *t, const char *s, size_t len);
	const struct path *root;
};
int mm_print_maps(struct mm *mm, struct mm_text *t);
int mm_print_smaps(struct mm *mm, struct mm_text *t, bool rollup);
/* Resident is looked up again only after page faults or mapping calls: finding it out walks everything. */
void mm_usage(struct mm *mm, struct mm_usage *u);

/* Futex and similar keys: the object behind a shared mapping at addr. Returns its id and offset; 0 if private memory or unmapped. */
u64 mm_shared_key(struct mm *mm, u64 addr, u64 *offset);

/* --- windows: fs/ reads resident host-file data by copying from these; per kProc, invisible to programs --- */
#define MM_WINDOW_SIZE (2 * MiB)
/* The mapped window of host_fd that contains off, pinned; *avail = bytes from there to its end. Faults (truncation) must be survived. */
const void *mm_window_get(int host_fd, int kmod_id, u64 inode_id, u64 off, u64 *avail);
void mm_window_put(const void *p);
void mm_window_drop(u64 inode_id); /* the file changed or goes away */

#endif
