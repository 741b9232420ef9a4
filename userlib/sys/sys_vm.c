/* SPDX-License-Identifier: MIT */
/* process_vm_readv(2), process_vm_writev(2). */
#include "userlib/proc/vm_access.h"
#include "userlib/sys/sys_mem_calls.h"
#include "userlib/sys/sys_util.h"

#define CHUNK (64 * KiB)

/* One remote piece. Bytes moved; fewer than asked: the end, with *err set if a fault was the reason. */
static size_t move_piece(struct uproc *p, struct iov_iter *local, u64 addr, size_t len, char *buf, bool write, long *err)
{
	size_t done = 0;

	while (done < len && local->count && !*err) {
		size_t most = MIN(len - done, local->count), want = MIN(most, CHUNK);
		ssize n = (ssize)want, got;

		if (write)
			n = iter_copy_from(local, buf, want);
		got = n > 0 ? vm_access(p, addr + done, buf, (size_t)n, write) : n;
		if (!write && got > 0) {
			n = iter_copy_to(local, buf, (size_t)got);
			got = MIN(got, n);
		}
		if (got < 0 || (size_t)got < want)
			*err = got < 0 ? got : -EFAULT;
		done += got > 0 ? (size_t)got : 0;
	}
	return done;
}

static long move_all(struct uproc *p, struct app_iov *local, const struct iov_seg *remote, u64 nr, bool write)
{
	char *buf = kmem_alloc(CHUNK);
	size_t done = 0;
	long err = 0;

	if (!buf)
		return -ENOMEM;
	for (u64 i = 0; i < nr && !err && local->it.count; i++)
		done += move_piece(p, &local->it, (u64)remote[i].base, remote[i].len, buf, write, &err);
	kmem_free(buf, CHUNK);
	return done ? (long)done : err;
}

static int get_remote(const void __app *rvec, u64 nr, struct iov_seg **out)
{
	if (nr > IOV_MAX_SEGS)
		return -EINVAL;
	*out = kmem_alloc(MAX(nr, 1ull) * sizeof(**out));
	if (!*out)
		return -ENOMEM;
	if (nr && copy_from_app(*out, rvec, nr * sizeof(**out))) {
		kmem_free(*out, MAX(nr, 1ull) * sizeof(**out));
		return -EFAULT;
	}
	for (u64 i = 0; i < nr; i++)
		if ((s64)(*out)[i].len < 0) {
			kmem_free(*out, MAX(nr, 1ull) * sizeof(**out));
			return -EINVAL;
		}
	return 0;
}

static long process_vm(int pid, const void __app *lvec, u64 nl, const void __app *rvec, u64 nr, u64 flags, bool write)
{
	struct iov_seg *remote;
	struct app_iov local;
	struct uproc *p;
	long r;

	if (flags)
		return -EINVAL;
	r = iov_get(&local, lvec, nl);
	if (r)
		return r;
	r = get_remote(rvec, nr, &remote);
	if (r)
		goto out_local;
	if (!local.it.count)
		goto out_remote;
	p = proc_find(pid);
	r = !p || load_acquire(&p->zombie) ? -ESRCH : !proc_may_access(p) ? -EPERM : move_all(p, &local, remote, nr, write);
	if (p)
		proc_put(p);
out_remote:
	kmem_free(remote, MAX(nr, 1ull) * sizeof(*remote));
out_local:
	iov_free(&local);
	return r;
}

long sys_process_vm_readv(int pid, const void __app *lvec, u64 nl, const void __app *rvec, u64 nr, u64 flags)
{
	return process_vm(pid, lvec, nl, rvec, nr, flags, false);
}

long sys_process_vm_writev(int pid, const void __app *lvec, u64 nl, const void __app *rvec, u64 nr, u64 flags)
{
	return process_vm(pid, lvec, nl, rvec, nr, flags, true);
}
