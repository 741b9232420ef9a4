/* SPDX-License-Identifier: MIT */
/* Checked, fault-tolerant copies and iov_iter. The faulting instructions are in arch/x86_64/uaccess.S. */
#include "userlib/rt/uaccess.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/uaccess_arch.h"

#define APP_ADDR_MAX 0x7ffffffff000ul

void (*uaccess_prepare)(u64 addr, u64 len);

/* Program pointers never lie in the arena or beyond user space (what lies there is the kernel's own). */
static bool access_ok(const void *p, size_t len)
{
	u64 a = (u64)p, ab = (u64)arena.base;

	return len <= APP_ADDR_MAX && a <= APP_ADDR_MAX - len && (a + len <= ab || a >= ab + arena.size);
}

size_t copy_from_app_partial(void *dst, const void __app *src, size_t len)
{
	if (!access_ok((const void *)src, len))
		return 0;
	return len - uaccess_copy(dst, (const void *)src, len);
}

size_t copy_to_app_partial(void __app *dst, const void *src, size_t len)
{
	if (!access_ok((const void *)dst, len))
		return 0;
	return len - uaccess_copy((void *)dst, src, len);
}

int copy_from_app(void *dst, const void __app *src, size_t len)
{
	return copy_from_app_partial(dst, src, len) == len ? 0 : -EFAULT;
}

int copy_to_app(void __app *dst, const void *src, size_t len)
{
	return copy_to_app_partial(dst, src, len) == len ? 0 : -EFAULT;
}

int clear_app(void __app *dst, size_t len)
{
	if (!access_ok((const void *)dst, len) || uaccess_clear((void *)dst, len))
		return -EFAULT;
	return 0;
}

/* In pieces that stay within a page: what lies behind the end of the string may be missing. */
ssize strncpy_from_app(char *dst, const char __app *src, size_t size)
{
	for (size_t n = 0; n < size;) {
		size_t piece = MIN((size_t)56, PAGE_SIZE - ((u64)(src + n) & (PAGE_SIZE - 1)));
		size_t want = MIN(piece, size - n), got = copy_from_app_partial(dst + n, src + n, want);

		for (size_t i = n; i < n + got; i++)
			if (!dst[i])
				return (ssize)i;
		if (got < want)
			return -EFAULT;
		n += got;
	}
	return -ENAMETOOLONG;
}

int load_app_u32(const u32 __app *p, u32 *out)
{
	return access_ok((const void *)p, 4) ? uaccess_load32((const u32 *)p, out) : -EFAULT;
}

int cas_app_u32(u32 __app *p, u32 expected, u32 desired, u32 *old)
{
	return access_ok((const void *)p, 4) ? uaccess_cas32((u32 *)p, expected, desired, old) : -EFAULT;
}

void iter_init(struct iov_iter *it, struct iov_seg *segs, u32 nr, bool kernel)
{
	it->seg = segs;
	it->nr_segs = nr;
	it->kernel = kernel;
	it->seg_offset = 0;
	it->count = 0;
	for (u32 i = 0; i < nr; i++)
		it->count += segs[i].len;
	if (unlikely(uaccess_prepare && !kernel))
		for (u32 i = 0; i < nr; i++)
			if (access_ok(segs[i].base, segs[i].len))
				uaccess_prepare((u64)segs[i].base, segs[i].len);
}

void iter_init_app(struct iov_iter *it, void __app *buf, size_t len)
{
	it->one = (struct iov_seg){ (void *)buf, len };
	iter_init(it, &it->one, 1, false);
}

void iter_init_kernel(struct iov_iter *it, void *buf, size_t len)
{
	it->one = (struct iov_seg){ buf, len };
	iter_init(it, &it->one, 1, true);
}

enum iter_op { ITER_TO, ITER_FROM, ITER_ZERO };

static size_t move_chunk(struct iov_iter *it, enum iter_op op, void *seg_mem, void *mem, size_t n)
{
	if (it->kernel) {
		if (op == ITER_TO)
			memcpy(seg_mem, mem, n);
		else if (op == ITER_FROM)
			memcpy(mem, seg_mem, n);
		else
			memset(seg_mem, 0, n);
		return n;
	}
	if (op == ITER_TO)
		return copy_to_app_partial(seg_mem, mem, n);
	if (op == ITER_FROM)
		return copy_from_app_partial(mem, seg_mem, n);
	if (!access_ok(seg_mem, n))
		return 0;
	return n - uaccess_clear(seg_mem, n);
}

static ssize iter_move(struct iov_iter *it, enum iter_op op, void *mem, size_t len)
{
	size_t done = 0;

	if (len > it->count)
		len = it->count;
	while (done < len) {
		size_t n = it->seg->len - it->seg_offset, moved;

		if (n == 0) {
			it->seg++;
			it->nr_segs--;
			it->seg_offset = 0;
			continue;
		}
		if (n > len - done)
			n = len - done;
		moved = move_chunk(it, op, (char *)it->seg->base + it->seg_offset, (char *)mem + done, n);
		it->seg_offset += moved;
		it->count -= moved;
		done += moved;
		if (moved < n)
			return done ? (ssize)done : -EFAULT;
	}
	return (ssize)done;
}

ssize iter_copy_to(struct iov_iter *it, const void *src, size_t len)
{
	return iter_move(it, ITER_TO, (void *)src, len);
}

ssize iter_copy_from(struct iov_iter *it, void *dst, size_t len)
{
	return iter_move(it, ITER_FROM, dst, len);
}

ssize iter_zero(struct iov_iter *it, size_t len)
{
	return iter_move(it, ITER_ZERO, NULL, len);
}

void iter_advance(struct iov_iter *it, size_t len)
{
	while (len) {
		size_t n = it->seg->len - it->seg_offset;

		if (n > len)
			n = len;
		it->seg_offset += n;
		it->count -= n;
		len -= n;
		if (len) {
			it->seg++;
			it->nr_segs--;
			it->seg_offset = 0;
		}
	}
}

void iter_revert(struct iov_iter *it, size_t len)
{
	it->count += len;
	while (len > it->seg_offset) {
		len -= it->seg_offset;
		it->seg--;
		it->nr_segs++;
		it->seg_offset = it->seg->len;
	}
	it->seg_offset -= len;
}
