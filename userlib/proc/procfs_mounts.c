/* SPDX-License-Identifier: MIT */
/* /proc/PID/mounts and mountinfo: the mount table as the reader sees it from its root. */
#include "userlib/base/string.h"
#include "userlib/proc/procfs_internal.h"
#include <linux/mount.h>

struct show {
	struct ptext *o;
	struct walk_ctx w;
	char *buf;
	bool info;
};

/* Blanks and backslashes as octal. */
static void add_escaped(struct ptext *o, const char *s)
{
	for (; *s; s++) {
		if (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\\')
			ptext_printf(o, "\\%03o", (unsigned)(u8)*s);
		else
			ptext_add(o, s, 1);
	}
}

static void add_options(struct ptext *o, u32 flags)
{
	ptext_printf(o, "%s%s%s%s%s", flags & MS_RDONLY ? "ro" : "rw", flags & MS_NOSUID ? ",nosuid" : "",
		     flags & MS_NODEV ? ",nodev" : "", flags & MS_NOEXEC ? ",noexec" : "", ",relatime");
}

static int one_mount(struct mount *m, void *arg)
{
	struct show *s = arg;
	struct path p = { m, m->root };
	const char *type = m->sb->type ? m->sb->type->name : "none", *source = m->source[0] ? m->source : type;
	u64 dev = m->sb->dev;

	if (path_name(&p, &s->w.root, s->buf, PATH_MAX_LEN, false) < 0 || s->buf[0] != '/')
		return 0; /* not reachable */
	if (s->info) {
		ptext_printf(s->o, "%u %u %u:%u / ", m->id, m->parent_id, RDEV_MAJOR(dev), RDEV_MINOR(dev));
		add_escaped(s->o, s->buf);
		ptext_add(s->o, " ", 1);
		add_options(s->o, m->flags | (m->sb->flags & MS_RDONLY));
		ptext_printf(s->o, " - %s ", type);
		add_escaped(s->o, source);
		ptext_printf(s->o, " %s\n", m->sb->flags & MS_RDONLY ? "ro" : "rw");
		return 0;
	}
	add_escaped(s->o, source);
	ptext_add(s->o, " ", 1);
	add_escaped(s->o, s->buf);
	ptext_printf(s->o, " %s ", type);
	add_options(s->o, m->flags | (m->sb->flags & MS_RDONLY));
	ptext_printf(s->o, " 0 0\n");
	return 0;
}

static int show_all(struct ptext *o, bool info)
{
	struct show s = { .o = o, .info = info, .buf = kmem_alloc(PATH_MAX_LEN) };
	int r = -ENOMEM;

	if (!s.buf)
		return r;
	s.w = proc_walk_ctx_get(uproc_self());
	r = vfs_for_each_mount(one_mount, &s);
	proc_walk_ctx_put(&s.w);
	kmem_free(s.buf, PATH_MAX_LEN);
	return r;
}

int procfs_show_mounts(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	return show_all(o, false);
}
int procfs_show_mountinfo(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	return show_all(o, true);
}
