/* SPDX-License-Identifier: MIT */
/*
 * Program memory, with faults caught: a bad pointer gives -EFAULT, never a crash. Legal only on the uThread whose call passed the
 * pointer (its kProc has the mapping), with no spinlock held that a fault would leave behind (faults do not park, so spinlocks are
 * allowed, but keep them short: the host may page in).
 */
#ifndef USERLIB_RT_UACCESS_H
#define USERLIB_RT_UACCESS_H

#include "base/types.h"

/* 0 or -EFAULT. Nothing is promised of a partial copy. */
int copy_from_app(void *dst, const void __app *src, size_t len) must_check;
int copy_to_app(void __app *dst, const void *src, size_t len) must_check;
int clear_app(void __app *dst, size_t len) must_check;
/* Bytes copied before the first fault (0..len). */
size_t copy_from_app_partial(void *dst, const void __app *src, size_t len);
size_t copy_to_app_partial(void __app *dst, const void *src, size_t len);
/* A C string: length without the zero, -EFAULT, or -ENAMETOOLONG when no zero within size bytes. */
ssize strncpy_from_app(char *dst, const char __app *src, size_t size) must_check;

#define get_app(dst, src) copy_from_app(&(dst), (src), sizeof(dst))
#define put_app(val, dst)                                         \
	({                                                        \
		__typeof__(*(dst)) put_app_v_ = (val);            \
		copy_to_app((dst), &put_app_v_, sizeof(*(dst)));  \
	})

/* 4-byte atomics on program memory for futexes: 0 or -EFAULT (-EAGAIN: cas_app_u32 found *old != expected; *old is what was there). */
int load_app_u32(const u32 __app *p, u32 *out) must_check;
int cas_app_u32(u32 __app *p, u32 expected, u32 desired, u32 *old) must_check;

/*
 * Set once some program has mappings that the kernel fills late (memory behind the old end of a file that grew): called when a system
 * call starts with program memory it is going to touch, before it takes locks, by the uThread whose call it is. May park. NULL till then.
 */
extern void (*uaccess_prepare)(u64 addr, u64 len);

/*
 * A run of bytes to be read or written: program memory (iovec array, already copied in and checked) or kernel memory.
 * Consumed from the front. `seg` entries are the kernel's own copy.
 */
struct iov_seg {
	void *base;
	size_t len;
};
struct iov_iter {
	struct iov_seg *seg;
	u32 nr_segs;
	bool kernel;	    /* seg bases are kernel memory */
	size_t seg_offset;  /* into seg[0] */
	size_t count;	    /* bytes left in all */
	struct iov_seg one; /* for the single-buffer constructors */
};
/* Program memory: without locks (see uaccess_prepare). */
void iter_init(struct iov_iter *it, struct iov_seg *segs, u32 nr, bool kernel);
void iter_init_app(struct iov_iter *it, void __app *buf, size_t len);
void iter_init_kernel(struct iov_iter *it, void *buf, size_t len);
/* Copies min(len, count) and advances by what was copied. Returns bytes copied, or -EFAULT if none could be. */
ssize iter_copy_to(struct iov_iter *it, const void *src, size_t len);	/* kernel -> iter */
ssize iter_copy_from(struct iov_iter *it, void *dst, size_t len);	/* iter -> kernel */
ssize iter_zero(struct iov_iter *it, size_t len);
void iter_advance(struct iov_iter *it, size_t len);
/* Un-consumes len bytes just consumed. */
void iter_revert(struct iov_iter *it, size_t len);

#endif
