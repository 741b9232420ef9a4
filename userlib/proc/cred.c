/* SPDX-License-Identifier: MIT */
/*
 * Capability sets as capabilities(7) has them change: with the user ids, and over execve. File capabilities are not read (the overlay's
 * upper half has no security attributes), so a program's file adds nothing but its set-id bits.
 */
#include "userlib/proc/proc.h"
#include <linux/capability.h>
#include <linux/securebits.h>

#define BIT_OF(cap) (1ull << (cap))
/* What follows the file-system user id ("Effect of user ID changes on capabilities") */
#define FS_CAPS                                                                                                                     \
	(BIT_OF(CAP_CHOWN) | BIT_OF(CAP_DAC_OVERRIDE) | BIT_OF(CAP_DAC_READ_SEARCH) | BIT_OF(CAP_FOWNER) | BIT_OF(CAP_FSETID) | \
	 BIT_OF(CAP_LINUX_IMMUTABLE) | BIT_OF(CAP_MKNOD) | BIT_OF(CAP_MAC_OVERRIDE))

const u64 cred_all_caps = (1ull << (CAP_LAST_CAP + 1)) - 1;

void cred_init_caps(struct cred *c)
{
	c->cap_permitted = c->cap_effective = c->euid == 0 ? cred_all_caps : 0;
	c->cap_bounding = cred_all_caps;
	c->cap_inheritable = c->cap_ambient = 0;
	c->securebits = 0;
}

static bool any_root(const struct cred *c)
{
	return c->uid == 0 || c->euid == 0 || c->suid == 0;
}

void cred_fix_caps_setuid(const struct cred *old, struct cred *n)
{
	if (n->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (any_root(old) && !any_root(n)) {
		if (!(n->securebits & SECBIT_KEEP_CAPS))
			n->cap_permitted = n->cap_effective = 0;
		n->cap_ambient = 0;
	}
	if (old->euid == 0 && n->euid != 0)
		n->cap_effective = 0;
	if (old->euid != 0 && n->euid == 0)
		n->cap_effective = n->cap_permitted;
	if (old->euid == n->euid) { /* setfsuid(2) alone */
		if (old->fsuid == 0 && n->fsuid != 0)
			n->cap_effective &= ~FS_CAPS;
		if (old->fsuid != 0 && n->fsuid == 0)
			n->cap_effective |= n->cap_permitted & FS_CAPS;
	}
}

void cred_fix_caps_exec(struct cred *n, bool set_id, bool no_new_privs)
{
	u64 had = n->cap_permitted;
	bool root = !(n->securebits & SECBIT_NOROOT) && (n->uid == 0 || n->euid == 0);

	if (set_id)
		n->cap_ambient = 0;
	n->cap_permitted = n->cap_ambient;
	if (root)
		n->cap_permitted |= n->cap_inheritable | n->cap_bounding;
	if (no_new_privs)
		n->cap_permitted &= had;
	n->cap_effective = root && n->euid == 0 ? n->cap_permitted : n->cap_ambient;
	n->securebits &= ~(u32)SECBIT_KEEP_CAPS;
}
