/* SPDX-License-Identifier: MIT */
/* Identifiers, keys and permissions of System V IPC. See ipc.h. */
#include "userlib/proc/ipc.h"
#include "userlib/base/string.h"

#define SEQ_SHIFT 15

int ipc_add(struct ipc_table *t, struct ipc_obj *o, int key, int flags)
{
	const struct cred *c = &uproc_self()->cred;

	if (!t->slots)
		t->slots = kmem_zalloc(IPC_SLOTS * sizeof(*t->slots));
	if (!t->slots)
		return -ENOMEM;
	for (u32 i = 0; i < IPC_SLOTS; i++) {
		if (t->slots[i])
			continue;
		ref_init(&o->ref);
		o->key = key;
		o->id = (int)((t->seq++ & 0xffff) << SEQ_SHIFT | i);
		o->uid = o->cuid = c->euid;
		o->gid = o->cgid = c->egid;
		o->mode = (u32)flags & 0777;
		t->slots[i] = o;
		t->used++;
		return 0;
	}
	return -ENOSPC;
}

struct ipc_obj *ipc_at(struct ipc_table *t, u32 index)
{
	return t->slots && index < IPC_SLOTS ? t->slots[index] : NULL;
}

struct ipc_obj *ipc_find(struct ipc_table *t, int id)
{
	struct ipc_obj *o = id < 0 ? NULL : ipc_at(t, (u32)id & ((1u << SEQ_SHIFT) - 1));

	return o && o->id == id ? o : NULL;
}

struct ipc_obj *ipc_find_key(struct ipc_table *t, int key)
{
	struct ipc_obj *o;

	for (u32 i = 0, seen = 0; i < IPC_SLOTS && seen < t->used; i++) {
		o = ipc_at(t, i);
		seen += o != NULL;
		if (o && o->key == key && key != IPC_PRIVATE)
			return o;
	}
	return NULL;
}

u32 ipc_highest(struct ipc_table *t)
{
	u32 i = t->used ? IPC_SLOTS : 1;

	while (i && !ipc_at(t, i - 1))
		i--;
	return i ? i - 1 : 0;
}

void ipc_del(struct ipc_table *t, struct ipc_obj *o)
{
	t->slots[(u32)o->id & ((1u << SEQ_SHIFT) - 1)] = NULL;
	t->used--;
	store_release(&o->dead, 1u);
}

static bool in_group(const struct cred *c, u32 gid)
{
	if (c->egid == gid)
		return true;
	for (u32 i = 0; i < c->nr_groups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

bool ipc_allowed(const struct ipc_obj *o, u32 flags)
{
	const struct cred *c = &uproc_self()->cred;
	u32 asked = (flags >> 6 | flags >> 3 | flags) & 7, granted = o->mode;

	if (c->euid == o->cuid || c->euid == o->uid)
		granted >>= 6;
	else if (in_group(c, o->cgid) || in_group(c, o->gid))
		granted >>= 3;
	return !(asked & ~granted) || cred_capable(c, CAP_IPC_OWNER);
}

bool ipc_is_owner(const struct ipc_obj *o)
{
	const struct cred *c = &uproc_self()->cred;

	return c->euid == o->cuid || c->euid == o->uid || cred_capable(c, CAP_SYS_ADMIN);
}

void ipc_fill_perm(const struct ipc_obj *o, struct ipc64_perm *p)
{
	memset(p, 0, sizeof(*p));
	p->key = o->key;
	p->uid = o->uid;
	p->gid = o->gid;
	p->cuid = o->cuid;
	p->cgid = o->cgid;
	p->mode = o->mode;
	p->seq = (unsigned short)(o->id >> SEQ_SHIFT);
}

int ipc_set_perm(struct ipc_obj *o, const struct ipc64_perm *p)
{
	if (p->uid == ~0u || p->gid == ~0u)
		return -EINVAL;
	o->uid = p->uid;
	o->gid = p->gid;
	o->mode = (o->mode & ~0777u) | (p->mode & 0777);
	return 0;
}
