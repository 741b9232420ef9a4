/* SPDX-License-Identifier: MIT */
/* System calls on futexes: decoding only; the work is proc/futex*.c. */
#include "userlib/proc/futex.h"
#include "userlib/proc/proc.h"
#include "userlib/sys/sys_mem_calls.h"

#define ROBUST_HEAD_SIZE 24

long sys_futex(u32 __app *uaddr, int op, u32 val, u64 timeout, u32 __app *uaddr2, u32 val3)
{
	return futex_call(uaddr, op, val, timeout, uaddr2, val3);
}

long sys_futex_waitv(void __app *waiters, u32 nr, u32 flags, void __app *timeout, int clockid)
{
	return futex_waitv_call(waiters, nr, flags, timeout, clockid);
}

long sys_set_robust_list(void __app *head, u64 len)
{
	struct thread *t = thread_self();

	if (len != ROBUST_HEAD_SIZE)
		return -EINVAL;
	t->robust_list = head;
	t->robust_list_len = len;
	return 0;
}

long sys_get_robust_list(int tid, void __app *__app *head, u64 __app *len)
{
	struct thread *self = thread_self(), *t = self;
	void __app *list;
	int r = 0;

	if (tid) {
		t = thread_find(tid);
		if (!t)
			return -ESRCH;
		if (t->proc != self->proc && !cred_capable(&self->proc->cred, CAP_SYS_PTRACE) && t->proc->cred.uid != self->proc->cred.euid)
			r = -EPERM;
	}
	list = t->robust_list;
	if (t != self || tid)
		thread_put(t);
	if (!r)
		r = put_app((u64)ROBUST_HEAD_SIZE, len);
	return r ? r : put_app(list, head);
}
