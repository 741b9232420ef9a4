/* SPDX-License-Identifier: MIT */
/* The engine of made-up file systems (pseudo.h): inodes, directories, open files with their text. What the text is, is elsewhere. */
#include "userlib/proc/pseudo.h"
#include "base/hash.h"
#include "userlib/base/string.h"
#include "userlib/proc/proc.h"

#define TEXT_MAX (4 * MiB)
#define STORE_MAX 4096
#define COOKIE_STATIC 2
#define COOKIE_DYN (1 << 20)
#define NAME_SIZE 64

static struct slab pinode_slab = SLAB_INIT("pseudo_inode", struct pinode);
static const struct inode_ops dir_ops, file_ops_inode, link_ops, magic_ops, reopen_ops;

/* ---- text ---- */

static bool grow(struct ptext *o, size_t more)
{
	size_t cap = o->cap ? o->cap : 1024;
	char *n;

	if (o->err)
		return false;
	while (cap < o->len + more + 1)
		cap *= 2;
	if (cap == o->cap)
		return true;
	n = cap <= TEXT_MAX ? kmem_alloc(cap) : NULL;
	if (!n) {
		o->err = -ENOMEM;
		return false;
	}
	if (o->buf) {
		memcpy(n, o->buf, o->len);
		kmem_free(o->buf, o->cap);
	}
	o->buf = n;
	o->cap = cap;
	return true;
}

void ptext_add(struct ptext *o, const char *s, size_t len)
{
	if (!grow(o, len))
		return;
	memcpy(o->buf + o->len, s, len);
	o->len += len;
}

void ptext_printf(struct ptext *o, const char *format, ...)
{
	va_list ap;
	int n;

	if (!grow(o, 128))
		return;
	va_start(ap, format);
	n = fmt_v(o->buf + o->len, o->cap - o->len, format, ap);
	va_end(ap);
	if ((size_t)n >= o->cap - o->len) {
		if (!grow(o, (size_t)n + 1))
			return;
		va_start(ap, format);
		n = fmt_v(o->buf + o->len, o->cap - o->len, format, ap);
		va_end(ap);
	}
	o->len += (size_t)n;
}

void ptext_free(struct ptext *o)
{
	if (o->buf)
		kmem_free(o->buf, o->cap);
	*o = (struct ptext){ 0 };
}

int pseudo_show_text(struct ptext *o, const struct pinode *pi)
{
	ptext_add(o, pi->node->text, strlen(pi->node->text));
	return 0;
}

/* ---- inodes ---- */

static const struct pinode *pinode(const struct inode *i)
{
	return (const struct pinode *)i;
}

/* The same object has the same number at every look-up. */
static u64 make_ino(const struct pnode *node, int pid, int tid, int key)
{
	u64 h = hash_u64((u64)node);

	h = hash_u64(h ^ (u64)(u32)pid);
	h = hash_u64(h ^ (u64)(u32)tid << 32);
	return (hash_u64(h ^ (u64)(u32)key) & 0x3fffffff) | 0x40000000; /* fits 32 bits, as Linux's */
}

static int make_inode(struct super *sb, const struct pinode *dir, const struct pnode *node, int key, struct inode **out)
{
	struct pinode *pi = slab_zalloc(&pinode_slab);
	const struct inode_ops *ops = &file_ops_inode;
	int pid = dir ? dir->pid : 0, tid = dir ? dir->tid : 0;
	s64 start = dir ? dir->start_ns : 0;
	int k = dir && key < 0 ? dir->key : key;

	if (!pi)
		return -ENOMEM;
	if (node->flags & PN_PID) {
		struct uproc *p = proc_find(key);

		pid = tid = key;
		start = p ? p->start_ns : 0;
		if (p)
			proc_put(p);
	}
	if (node->flags & PN_TID)
		tid = key;
	if ((node->mode & S_IFMT) == S_IFDIR)
		ops = &dir_ops;
	else if ((node->mode & S_IFMT) == S_IFLNK)
		ops = node->follow ? &magic_ops : &link_ops;
	inode_init(&pi->vfs, sb, ops, node->mode, make_ino(node, pid, tid, k));
	pi->node = node;
	pi->pid = pid;
	pi->tid = tid;
	pi->key = k;
	pi->start_ns = start;
	*out = &pi->vfs;
	return 0;
}

static void evict(struct inode *i)
{
	struct pinode *pi = (struct pinode *)i;

	if (pi->target)
		file_put(pi->target);
	slab_free(&pinode_slab, pi);
}

static int getattr(struct inode *i, struct kstat *st)
{
	const struct pinode *pi = pinode(i);
	struct uproc *p = pi->pid ? proc_find(pi->pid) : NULL;

	memset(st, 0, sizeof(*st));
	st->dev = i->sb->dev;
	st->ino = i->ino;
	st->mode = i->mode;
	st->nlink = (i->mode & S_IFMT) == S_IFDIR ? 2 : 1;
	st->blksize = (i->mode & S_IFMT) == S_IFREG ? 1024 : PAGE_SIZE;
	st->size = (i->mode & S_IFMT) == S_IFLNK && pi->node->follow ? 64 : 0;
	st->atime_ns = st->mtime_ns = st->ctime_ns = clock_realtime_ns();
	st->btime_ns = -1;
	if (p) {
		s64 started = clock_realtime_ns() - clock_boottime_ns() + p->start_ns;

		if (p->dumpable || p == uproc_self()) { /* one's own are always accessible */
			st->uid = p->cred.euid;
			st->gid = p->cred.egid;
		}
		st->atime_ns = st->mtime_ns = st->ctime_ns = started;
		proc_put(p);
	}
	return 0;
}

/* chmod and chown do nothing of use here; times are nobody's. */
static int setattr(struct inode *i, const struct iattr *a)
{
	(void)i;
	return a->valid & ~(u32)ATTR_SIZE ? -EPERM : 0; /* O_TRUNC is harmless */
}

/* ---- directories ---- */

static bool still_there(const struct pinode *pi)
{
	struct uproc *p;
	bool r;

	if (!pi->pid)
		return true;
	p = proc_find(pi->pid);
	r = p && p->start_ns == pi->start_ns;
	if (p)
		proc_put(p);
	return r;
}

static int lookup(struct inode *dir, const char *name, unsigned len, struct inode **out)
{
	const struct pinode *d = pinode(dir);
	const struct pnode *n;
	char z[NAME_SIZE];
	int key = -1;

	if (!still_there(d) || len >= sizeof(z))
		return -ENOENT;
	memcpy(z, name, len);
	z[len] = 0;
	for (n = d->node->children; n && n->name; n++)
		if (!strcmp(n->name, z))
			return make_inode(dir->sb, d, n, -1, out);
	if (!d->node->dyn || d->node->dyn->lookup(d, z, &n, &key))
		return -ENOENT;
	return make_inode(dir->sb, d, n, key, out);
}

/* Names cannot be made here: as if there were no such place, which is what Linux says. */
static int create(struct inode *dir, const char *name, unsigned len, u32 mode, u64 rdev, const struct cred *c, struct inode **out)
{
	(void)dir;
	(void)name;
	(void)len;
	(void)mode;
	(void)rdev;
	(void)c;
	(void)out;
	return -ENOENT;
}

static bool revalidate(struct inode *dir, const char *name, unsigned len, struct inode *child)
{
	const struct pinode *d = pinode(dir), *c = pinode(child);

	(void)name;
	(void)len;
	if (c->node->flags & PN_PID)
		return still_there(c);
	for (const struct pnode *n = d->node->children; n && n->name; n++)
		if (n == c->node)
			return true;
	return false; /* dynamic entries are looked up anew */
}

static int readdir(struct inode *dir, struct dir_ctx *ctx)
{
	const struct pinode *d = pinode(dir);
	const struct pnode *n = d->node->children;
	int nr = 0, key;
	char name[NAME_SIZE];

	if (ctx->cookie < 0)
		return -EINVAL;
	if (!still_there(d))
		return -ENOENT;
	for (; ctx->cookie < COOKIE_STATIC; ctx->cookie++)
		if (!ctx->emit(ctx, "..", (unsigned)ctx->cookie + 1, dir->ino, 4, ctx->cookie + 1))
			return 0;
	while (n && n[nr].name)
		nr++;
	for (; ctx->cookie < COOKIE_STATIC + nr; ctx->cookie++) {
		const struct pnode *e = &n[ctx->cookie - COOKIE_STATIC];

		if (!ctx->emit(ctx, e->name, (unsigned)strlen(e->name), make_ino(e, d->pid, d->tid, d->key), e->mode >> 12 & 15,
			       ctx->cookie + 1))
			return 0;
	}
	if (!d->node->dyn)
		return 0;
	key = ctx->cookie < COOKIE_DYN ? 0 : (int)(ctx->cookie - COOKIE_DYN);
	while (d->node->dyn->next(d, &key, name, sizeof(name), &n)) {
		int pid = n->flags & PN_PID ? key : d->pid, tid = n->flags & (PN_PID | PN_TID) ? key : d->tid;

		if (!ctx->emit(ctx, name, (unsigned)strlen(name), make_ino(n, pid, tid, key), n->mode >> 12 & 15,
			       (s64)COOKIE_DYN + key + 1))
			return 0;
		ctx->cookie = (s64)COOKIE_DYN + ++key;
	}
	return 0;
}

/* ---- links ---- */

static ssize readlink(struct inode *i, char *buf, size_t size)
{
	const struct pinode *pi = pinode(i);
	struct ptext o = { 0 };
	ssize r = pi->node->show(&o, pi);

	if (!r)
		r = o.err;
	if (!r) {
		r = (ssize)MIN(size, o.len);
		memcpy(buf, o.buf, (size_t)r);
	}
	ptext_free(&o);
	return r;
}

static int follow(struct inode *i, const struct cred *c, struct path *out)
{
	const struct pinode *pi = pinode(i);
	struct kstat st;

	(void)getattr(i, &st);
	if (c->fsuid != 0 && c->fsuid != st.uid && pi->pid != uproc_self()->pid)
		return -EACCES;
	return pi->node->follow(pi, out);
}

/* ---- open files ---- */

struct open_text {
	struct mutex lock;
	struct ptext text; /* [lock] */
	bool made;	   /* [lock] */
};

static ssize text_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf_flags)
{
	const struct pinode *pi = pinode(f->inode);
	struct open_text *ot = f->private;
	ssize r = 0;

	(void)rwf_flags;
	if (!pi->node->show)
		return -EINVAL;
	mutex_lock(&ot->lock);
	if (!ot->made || *pos == 0) {
		ptext_free(&ot->text);
		r = pi->node->show(&ot->text, pi);
		if (!r)
			r = ot->text.err;
		ot->made = !r;
	}
	if (!r && *pos >= 0 && (u64)*pos < ot->text.len) {
		r = iter_copy_to(it, ot->text.buf + *pos, ot->text.len - (size_t)*pos);
		if (r > 0)
			*pos += r;
	}
	mutex_unlock(&ot->lock);
	return r;
}

static ssize text_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf_flags)
{
	const struct pinode *pi = pinode(f->inode);
	size_t len = it->count;
	char *tmp;
	ssize r;

	(void)rwf_flags;
	if (!pi->node->store)
		return -EINVAL;
	if (len >= STORE_MAX)
		return -EINVAL;
	tmp = kmem_zalloc(STORE_MAX);
	if (!tmp)
		return -ENOMEM;
	r = iter_copy_from(it, tmp, len);
	if (r >= 0)
		r = pi->node->store(pi, tmp, (size_t)r);
	if (r > 0)
		*pos += r;
	kmem_free(tmp, STORE_MAX);
	return r;
}

/* pos_lock held by the caller */
static s64 text_seek(struct file *f, s64 off, int whence)
{
	if (whence == 1)
		off += f->pos;
	else if (whence != 0)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	return f->pos = off;
}

static void text_release(struct file *f)
{
	struct open_text *ot = f->private;

	ptext_free(&ot->text);
	kmem_free(ot, sizeof(*ot));
}

static const struct file_ops text_ops = {
	.name = "pseudo", .read = text_read, .write = text_write, .seek = text_seek, .release = text_release,
};

static int open_text(struct inode *i, struct path *p, unsigned flags, const struct cred *c, struct file **out)
{
	struct open_text *ot;
	int r;

	(void)p;
	(void)c;
	if ((flags & O_ACCMODE) != O_RDONLY && !pinode(i)->node->store)
		return -EACCES;
	if (!still_there(pinode(i)))
		return -ESRCH;
	ot = kmem_zalloc(sizeof(*ot));
	if (!ot)
		return -ENOMEM;
	mutex_init(&ot->lock);
	r = file_alloc(&text_ops, flags, ot, out);
	if (r)
		kmem_free(ot, sizeof(*ot));
	return r;
}

static int open_again(struct inode *i, struct path *p, unsigned flags, const struct cred *c, struct file **out)
{
	(void)p;
	return file_reopen(pinode(i)->target, flags, c, out);
}

static int reopen_getattr(struct inode *i, struct kstat *st)
{
	return file_getattr(pinode(i)->target, st);
}

static const struct inode_ops dir_ops = {
	.lookup = lookup, .create = create, .readdir = readdir, .revalidate = revalidate, .getattr = getattr, .setattr = setattr, .evict = evict,
};
static const struct inode_ops file_ops_inode = {
	.getattr = getattr, .setattr = setattr, .open_file = open_text, .evict = evict,
};
static const struct inode_ops link_ops = { .readlink = readlink, .getattr = getattr, .setattr = setattr, .evict = evict };
static const struct inode_ops magic_ops = {
	.readlink = readlink, .follow = follow, .getattr = getattr, .setattr = setattr, .evict = evict,
};
static const struct inode_ops reopen_ops = { .open_file = open_again, .getattr = reopen_getattr, .evict = evict };

/* ---- mounting ---- */

static int statfs(struct super *sb, struct kstatfs *st)
{
	*st = (struct kstatfs){ .type = sb->magic, .bsize = PAGE_SIZE, .frsize = PAGE_SIZE, .namelen = NAME_MAX_LEN };
	return 0;
}

static void kill_super(struct super *sb)
{
	kmem_free(sb, sizeof(*sb));
}

int pseudo_mount(const struct pnode *root, u32 magic, const struct fs_type *type, struct super **out)
{
	struct super *sb = kmem_zalloc(sizeof(*sb));
	int r;

	if (!sb)
		return -ENOMEM;
	sb->type = type;
	sb->dev = vfs_alloc_dev();
	sb->magic = magic;
	sb->statfs = statfs;
	sb->kill = kill_super;
	r = make_inode(sb, NULL, root, 0, &sb->root);
	if (r) {
		kmem_free(sb, sizeof(*sb));
		return r;
	}
	*out = sb;
	return 0;
}

int pseudo_reopen_path(struct super *sb, struct file *f, struct path *out)
{
	static const struct pnode node = { .name = "" };
	struct pinode *pi = slab_zalloc(&pinode_slab);
	struct kstat st;
	char name[NAME_SIZE];
	int r = file_getattr(f, &st);

	if (!pi)
		return -ENOMEM;
	/* Not S_IFREG: open(2)'s truncation and write counts are the file's own affair, not this name's. */
	inode_init(&pi->vfs, sb, &reopen_ops, r ? S_IFIFO | 0600 : (st.mode & S_IFMT) == S_IFREG ? S_IFIFO | (st.mode & 07777) : st.mode, f->id);
	pi->node = &node;
	pi->target = file_get(f);
	if (file_link_name(f, NULL, name, sizeof(name)) < 0)
		str_copy(name, "anon_inode:", sizeof(name));
	r = vfs_anon_path(&pi->vfs, name, out);
	if (r)
		inode_put(&pi->vfs);
	return r;
}

const struct pinode *pseudo_dir(const struct inode *i)
{
	return i && i->ops == &dir_ops ? container_of(i, struct pinode, vfs) : NULL;
}
