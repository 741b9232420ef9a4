/* SPDX-License-Identifier: MIT */
/*
 * Patched images: the messages between an instance and its launcher's patch service (a unix SEQPACKET socket), and the trailer of a
 * cached image. One request, one reply; several may be under way, the id pairs them.
 *
 * A cached image is a copy of the original file with the same offsets (patched text bytes), zero-filled to a page, then the stub
 * section, then the trailer page. The instance maps the PT_LOAD segments of the original from the image's fd instead, and in addition
 * the stubs: mmap(load_bias + stub_vaddr, stub_len, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED_NOREPLACE, image_fd, stub_offset).
 * Nothing in the image depends on where it is loaded. If the stubs' range is taken, map the original file instead.
 *
 * The instance may look into the cache directory (jabi_boot.cache_dir_fd) itself before it asks. An entry's name is JABI_PATCH_NAME_FORMAT
 * of the original's key and JABI_PATCH_VERSION; all its writers are the launcher's own user. An entry with stub_len 0 is a note: nothing to
 * patch. Entries appear complete (rename), and the key fields of the trailer must be compared.
 */
#ifndef JABI_JABI_PATCH_H
#define JABI_JABI_PATCH_H

#include <linux/types.h>

#define JABI_PATCH_MAGIC       0x68637461706e756aull /* "junpatch" */
#define JABI_PATCH_VERSION     1		     /* of the patcher: part of the cache key */
#define JABI_PATCH_GUARD       4096ull /* unmapped bytes between the file's last segment and the stubs */
/* Of the key: dev (major << 32 | minor), ino, size, mtime_ns, ctime_ns, all __u64 as 16 hex digits; version. */
#define JABI_PATCH_NAME_FORMAT "%016llx-%016llx-%016llx-%016llx-%016llx-v%u"
#define JABI_PATCH_MAX_FILE    (512ull << 20)

/* Instance -> launcher, with the original file's descriptor (opened for reading) as SCM_RIGHTS. */
struct jabi_patch_req {
	__u64 id;
	__u32 version; /* JABI_PATCH_VERSION */
	__u32 flags;   /* 0 */
};

#define JABI_PATCH_OK	   0 /* image descriptor attached */
#define JABI_PATCH_NONE	   1 /* nothing to patch: map the original */
#define JABI_PATCH_REFUSED 2 /* see err */
/* Launcher -> instance; with the image's descriptor (read-only) if status is JABI_PATCH_OK. The fields repeat the trailer. */
struct jabi_patch_reply {
	__u64 id;
	__u32 status;
	__u32 err;	   /* errno, for REFUSED */
	__u64 stub_offset; /* in the image, page multiple */
	__u64 stub_len;	   /* page multiple */
	__u64 stub_vaddr;  /* page multiple; add the load bias */
	__u32 nr_sites;	   /* syscall instructions found */
	__u32 nr_patched;
};

/* The last JABI_PATCH_TRAILER_BYTES bytes of a cached image. */
#define JABI_PATCH_TRAILER_BYTES 128
struct jabi_patch_trailer {
	__u64 magic;
	__u32 version;
	__u32 trailer_bytes;
	__u64 dev, ino, file_size, mtime_ns, ctime_ns; /* of the original: the key */
	__u64 stub_offset, stub_len, stub_vaddr;
	__u32 nr_sites, nr_patched;
	__u8 reserved[40];
};

_Static_assert(sizeof(struct jabi_patch_req) == 16, "layout");
_Static_assert(sizeof(struct jabi_patch_reply) == 48, "layout");
_Static_assert(sizeof(struct jabi_patch_trailer) == JABI_PATCH_TRAILER_BYTES, "layout");

#endif
