/* SPDX-License-Identifier: MIT */
/*
 * Credentials: user and group ids, groups, capabilities. As credentials(7): inside the instance uid 0 has every capability, others none.
 * What is privileged towards the host is refused elsewhere, whoever asks. Changes are of the whole process.
 */
#include "userlib/sys/sys_signal_calls.h"
#include "userlib/base/string.h"
#include "userlib/proc/proc.h"
#include <linux/capability.h>

#define NO_ID 0xffffffffu
#define ALL_CAPS ((1ull << (CAP_LAST_CAP + 1)) - 1)
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

/* The new credentials replace the old; losing uid 0 loses the capabilities. */
static void commit(const struct cred *n)
{
	struct uproc *p = uproc_self();

	spin_lock(&p->lock);
	if (p->cred.euid != n->euid || p->cred.egid != n->egid)
		p->dumpable = 0;
	p->cred = *n;
	p->cred.cap_effective = n->euid == 0 ? ALL_CAPS : 0;
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
	if (cred_capable(&n))
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
	if (cred_capable(&n))
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
	bool capable = cred_capable(&o);

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
	bool capable = cred_capable(&o);

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

	if (!cred_capable(&n) && ((r != NO_ID && !is_one_of_uid(&n, r)) || (e != NO_ID && !is_one_of_uid(&n, e)) ||
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

	if (!cred_capable(&n) && ((r != NO_ID && !is_one_of_gid(&n, r)) || (e != NO_ID && !is_one_of_gid(&n, e)) ||
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

	if (uid != NO_ID && (cred_capable(&n) || is_one_of_uid(&n, uid) || uid == n.fsuid)) {
		n.fsuid = uid;
		commit(&n);
	}
	return old;
}

long sys_setfsgid(u32 gid)
{
	struct cred n = *cred();
	u32 old = n.fsgid;

	if (gid != NO_ID && (cred_capable(&n) || is_one_of_gid(&n, gid) || gid == n.fsgid)) {
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

	if (!cred_capable(&c))
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
	u64 caps;
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
	caps = (p ? p->cred.euid : cred()->euid) == 0 ? ALL_CAPS : 0;
	if (p)
		proc_put(p);
	for (int i = 0; i < 2; i++) {
		d[i].effective = d[i].permitted = (u32)(caps >> 32 * i);
		d[i].inheritable = 0;
	}
	return copy_to_app(data, d, sizeof(d[0]) * (size_t)cap_words(hdr.version));
}

/* Only sets that are no more than what is held are accepted; dropping some of uid 0's is accepted and has no effect on our checks. */
long sys_capset(void __app *uhdr, const void __app *data)
{
	struct __user_cap_header_struct hdr;
	struct __user_cap_data_struct d[2] = { 0 };
	u64 held = cred_capable(cred()) ? ALL_CAPS : 0;
	int r = cap_header(uhdr, &hdr);

	if (r)
		return r;
	if (hdr.pid && hdr.pid != uproc_self()->pid)
		return -EPERM;
	if (copy_from_app(d, data, sizeof(d[0]) * (size_t)cap_words(hdr.version)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		u32 h = (u32)(held >> 32 * i);

		if (d[i].effective & ~d[i].permitted || d[i].permitted & ~h)
			return -EPERM;
	}
	return 0;
}
