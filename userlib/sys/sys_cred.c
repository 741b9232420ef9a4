/* SPDX-License-Identifier: MIT */
/*
 * Credentials: user and group ids, groups, capabilities, as credentials(7) and capabilities(7) have them, within the instance. What is privileged towards the host is refused elsewhere, whoever asks. Changes are of the whole process.
 */
#include "userlib/sys/sys_signal_calls.h"
#include "userlib/base/string.h"
#include "userlib/proc/proc.h"
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#define NO_ID 0xffffffffu
#define MAX_GROUPS ARRAY_SIZE(((struct cred *)0)->groups)

static const struct cred *cred(void)
{
	return &uproc_self()->cred;
}

long sys_getuid(void)
{
	return cred()->uid;
}
long sys_geteuid(void)
{
	return cred()->euid;
}
long sys_getgid(void)
{
	return cred()->gid;
}
long sys_getegid(void)
{
	return cred()->egid;
}

long sys_getresuid(u32 __app *r, u32 __app *e, u32 __app *s)
{
	return put_app(cred()->uid, r) || put_app(cred()->euid, e) || put_app(cred()->suid, s) ? -EFAULT : 0;
}
long sys_getresgid(u32 __app *r, u32 __app *e, u32 __app *s)
{
	return put_app(cred()->gid, r) || put_app(cred()->egid, e) || put_app(cred()->sgid, s) ? -EFAULT : 0;
}

/* The new credentials replace the old; what that means for the capabilities is in cred.c. */
static void commit(struct cred *n)
{
	struct uproc *p = uproc_self();

	spin_lock(&p->lock);
	if (p->cred.euid != n->euid || p->cred.egid != n->egid)
		p->dumpable = 0;
	cred_fix_caps_setuid(&p->cred, n);
	p->cred = *n;
	spin_unlock(&p->lock);
}

static bool is_one_of_uid(const struct cred *c, u32 id)
{
	return id == c->uid || id == c->euid || id == c->suid;
}
static bool is_one_of_gid(const struct cred *c, u32 id)
{
	return id == c->gid || id == c->egid || id == c->sgid;
}

long sys_setuid(u32 uid)
{
	struct cred n = *cred();

	if (uid == NO_ID)
		return -EINVAL;
	if (cred_capable(&n, CAP_SETUID))
		n.uid = n.suid = uid;
	else if (uid != n.uid && uid != n.suid)
		return -EPERM;
	n.euid = n.fsuid = uid;
	commit(&n);
	return 0;
}

long sys_setgid(u32 gid)
{
	struct cred n = *cred();

	if (gid == NO_ID)
		return -EINVAL;
	if (cred_capable(&n, CAP_SETGID))
		n.gid = n.sgid = gid;
	else if (gid != n.gid && gid != n.sgid)
		return -EPERM;
	n.egid = n.fsgid = gid;
	commit(&n);
	return 0;
}

long sys_setreuid(u32 r, u32 e)
{
	struct cred n = *cred(), o = n;
	bool capable = cred_capable(&o, CAP_SETUID);

	if (r != NO_ID) {
		if (!capable && r != o.uid && r != o.euid)
			return -EPERM;
		n.uid = r;
	}
	if (e != NO_ID) {
		if (!capable && !is_one_of_uid(&o, e))
			return -EPERM;
		n.euid = e;
	}
	if (r != NO_ID || (e != NO_ID && e != o.uid))
		n.suid = n.euid;
	n.fsuid = n.euid;
	commit(&n);
	return 0;
}

long sys_setregid(u32 r, u32 e)
{
	struct cred n = *cred(), o = n;
	bool capable = cred_capable(&o, CAP_SETGID);

	if (r != NO_ID) {
		if (!capable && r != o.gid && r != o.egid)
			return -EPERM;
		n.gid = r;
	}
	if (e != NO_ID) {
		if (!capable && !is_one_of_gid(&o, e))
			return -EPERM;
		n.egid = e;
	}
	if (r != NO_ID || (e != NO_ID && e != o.gid))
		n.sgid = n.egid;
	n.fsgid = n.egid;
	commit(&n);
	return 0;
}

long sys_setresuid(u32 r, u32 e, u32 s)
{
	struct cred n = *cred();

	if (!cred_capable(&n, CAP_SETUID) && ((r != NO_ID && !is_one_of_uid(&n, r)) || (e != NO_ID && !is_one_of_uid(&n, e)) ||
				  (s != NO_ID && !is_one_of_uid(&n, s))))
		return -EPERM;
	n.uid = r != NO_ID ? r : n.uid;
	n.euid = e != NO_ID ? e : n.euid;
	n.suid = s != NO_ID ? s : n.suid;
	n.fsuid = n.euid;
	commit(&n);
	return 0;
}

long sys_setresgid(u32 r, u32 e, u32 s)
{
	struct cred n = *cred();

	if (!cred_capable(&n, CAP_SETGID) && ((r != NO_ID && !is_one_of_gid(&n, r)) || (e != NO_ID && !is_one_of_gid(&n, e)) ||
				  (s != NO_ID && !is_one_of_gid(&n, s))))
		return -EPERM;
	n.gid = r != NO_ID ? r : n.gid;
	n.egid = e != NO_ID ? e : n.egid;
	n.sgid = s != NO_ID ? s : n.sgid;
	n.fsgid = n.egid;
	commit(&n);
	return 0;
}

/* These two return the old value whatever happens. */
long sys_setfsuid(u32 uid)
{
	struct cred n = *cred();
	u32 old = n.fsuid;

	if (uid != NO_ID && (cred_capable(&n, CAP_SETUID) || is_one_of_uid(&n, uid) || uid == n.fsuid)) {
		n.fsuid = uid;
		commit(&n);
	}
	return old;
}

long sys_setfsgid(u32 gid)
{
	struct cred n = *cred();
	u32 old = n.fsgid;

	if (gid != NO_ID && (cred_capable(&n, CAP_SETGID) || is_one_of_gid(&n, gid) || gid == n.fsgid)) {
		n.fsgid = gid;
		commit(&n);
	}
	return old;
}

long sys_getgroups(int n, u32 __app *list)
{
	struct cred c = *cred();

	if (n < 0)
		return -EINVAL;
	if (n && (u32)n < c.nr_groups)
		return -EINVAL;
	if (n && copy_to_app(list, c.groups, c.nr_groups * sizeof(u32)))
		return -EFAULT;
	return c.nr_groups;
}

long sys_setgroups(int n, const u32 __app *list)
{
	struct cred c = *cred();

	if (!cred_capable(&c, CAP_SETGID))
		return -EPERM;
	if (n < 0 || (size_t)n > MAX_GROUPS)
		return -EINVAL;
	if (copy_from_app(c.groups, list, (size_t)n * sizeof(u32)))
		return -EFAULT;
	c.nr_groups = (u32)n;
	commit(&c);
	return 0;
}

/* ---- capabilities ---- */

static int cap_words(u32 version)
{
	switch (version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return 1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return 2;
	default:
		return 0;
	}
}

/* Checks the header; an unknown version is answered with the preferred one. */
static int cap_header(void __app *uhdr, struct __user_cap_header_struct *hdr)
{
	if (copy_from_app(hdr, uhdr, sizeof(*hdr)))
		return -EFAULT;
	if (cap_words(hdr->version))
		return 0;
	if (put_app(_LINUX_CAPABILITY_VERSION_3, (u32 __app *)uhdr))
		return -EFAULT;
	return -EINVAL;
}

long sys_capget(void __app *uhdr, void __app *data)
{
	struct __user_cap_header_struct hdr;
	struct __user_cap_data_struct d[2];
	struct uproc *p = NULL;
	struct cred c;
	int r = cap_header(uhdr, &hdr);

	if (r == -EINVAL && !data)
		return 0; /* asked for the version only */
	if (r)
		return r;
	if (hdr.pid < 0)
		return -EINVAL;
	if (hdr.pid) {
		p = proc_find(hdr.pid);
		if (!p)
			return -ESRCH;
	}
	c = p ? p->cred : *cred();
	if (p)
		proc_put(p);
	if (!data)
		return 0;
	for (int i = 0; i < 2; i++) {
		d[i].effective = (u32)(c.cap_effective >> 32 * i);
		d[i].permitted = (u32)(c.cap_permitted >> 32 * i);
		d[i].inheritable = (u32)(c.cap_inheritable >> 32 * i);
	}
	return copy_to_app(data, d, sizeof(d[0]) * (size_t)cap_words(hdr.version));
}

/* capset(2): effective within permitted; permitted only shrinks; inheritable grows only within permitted and the bounding set. */
static int check_capset(const struct cred *c, u64 eff, u64 perm, u64 inh)
{
	if (eff & ~perm || perm & ~c->cap_permitted || inh & ~(c->cap_inheritable | c->cap_bounding))
		return -EPERM;
	if (!cred_capable(c, CAP_SETPCAP) && inh & ~(c->cap_inheritable | c->cap_permitted))
		return -EPERM;
	return 0;
}

long sys_capset(void __app *uhdr, const void __app *data)
{
	struct __user_cap_header_struct hdr;
	struct __user_cap_data_struct d[2] = { 0 };
	struct uproc *p = uproc_self();
	u64 eff, perm, inh;
	int r = cap_header(uhdr, &hdr);

	if (r)
		return r;
	if (hdr.pid && hdr.pid != p->pid)
		return -EPERM;
	if (copy_from_app(d, data, sizeof(d[0]) * (size_t)cap_words(hdr.version)))
		return -EFAULT;
	eff = (d[0].effective | (u64)d[1].effective << 32) & cred_all_caps;
	perm = (d[0].permitted | (u64)d[1].permitted << 32) & cred_all_caps;
	inh = (d[0].inheritable | (u64)d[1].inheritable << 32) & cred_all_caps;
	spin_lock(&p->lock);
	r = check_capset(&p->cred, eff, perm, inh);
	if (!r) {
		p->cred.cap_effective = eff;
		p->cred.cap_permitted = perm;
		p->cred.cap_inheritable = inh;
		p->cred.cap_ambient &= perm & inh;
	}
	spin_unlock(&p->lock);
	return r;
}

static long ambient(struct cred *c, u64 what, u64 cap)
{
	u64 bit = 1ull << cap;

	if (what == PR_CAP_AMBIENT_CLEAR_ALL) {
		c->cap_ambient = 0;
		return 0;
	}
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	switch (what) {
	case PR_CAP_AMBIENT_IS_SET:
		return !!(c->cap_ambient & bit);
	case PR_CAP_AMBIENT_LOWER:
		c->cap_ambient &= ~bit;
		return 0;
	case PR_CAP_AMBIENT_RAISE:
		if (!(c->cap_permitted & c->cap_inheritable & bit) || c->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)
			return -EPERM;
		c->cap_ambient |= bit;
		return 0;
	default:
		return -EINVAL;
	}
}

static long set_securebits(struct cred *c, u64 bits)
{
	u32 locked = (c->securebits & SECURE_ALL_LOCKS) >> 1;

	if (bits & ~(u64)(SECURE_ALL_BITS | SECURE_ALL_LOCKS) || (locked & (c->securebits ^ bits)) ||
	    (c->securebits & SECURE_ALL_LOCKS & ~bits) || !cred_capable(c, CAP_SETPCAP))
		return -EPERM;
	c->securebits = (u32)bits;
	return 0;
}

static long prctl_locked(struct cred *c, int op, u64 a2, u64 a3, u64 a4, u64 a5)
{
	switch (op) {
	case PR_SET_KEEPCAPS:
		if (a2 > 1)
			return -EINVAL;
		if (c->securebits & SECBIT_KEEP_CAPS_LOCKED)
			return -EPERM;
		c->securebits = (c->securebits & ~(u32)SECBIT_KEEP_CAPS) | (a2 ? SECBIT_KEEP_CAPS : 0);
		return 0;
	case PR_GET_KEEPCAPS:
		return !!(c->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_SECUREBITS:
		return set_securebits(c, a2);
	case PR_GET_SECUREBITS:
		return c->securebits;
	case PR_CAPBSET_READ:
		return a2 > CAP_LAST_CAP ? -EINVAL : (long)(c->cap_bounding >> a2 & 1);
	case PR_CAPBSET_DROP:
		if (!cred_capable(c, CAP_SETPCAP))
			return -EPERM;
		if (a2 > CAP_LAST_CAP)
			return -EINVAL;
		c->cap_bounding &= ~(1ull << a2);
		return 0;
	case PR_CAP_AMBIENT:
		return a4 || a5 ? -EINVAL : ambient(c, a2, a3);
	default:
		return -ENOSYS;
	}
}

long prctl_caps(int op, u64 a2, u64 a3, u64 a4, u64 a5)
{
	struct uproc *p = uproc_self();
	long r;

	spin_lock(&p->lock);
	r = prctl_locked(&p->cred, op, a2, a3, a4, a5);
	spin_unlock(&p->lock);
	return r;
}
