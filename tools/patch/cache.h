/* SPDX-License-Identifier: MIT */
/* The directory of patched images: who owns it, how entries are named, found, made. */
#ifndef TOOLS_PATCH_CACHE_H
#define TOOLS_PATCH_CACHE_H

#include "base/types.h"
#include "jabi/jabi_patch.h"

/*
 * Opens (and makes, mode 0700 or 0755 for root) the caller's cache directory: /var/cache/junction for root, else
 * $XDG_CACHE_HOME/junction or ~/.cache/junction. -errno when there is none that only the caller could have written to.
 */
int cache_open_dir(char *path, size_t size) must_check;

/*
 * The patched image of the file behind `fd` (a regular file open for reading): found or made. Fills *t from its trailer. Returns a
 * read-only descriptor, -ENOENT when the file has no site to patch, or another -errno.
 */
int cache_get_image(int dir_fd, int fd, struct jabi_patch_trailer *t) must_check;

#define CACHE_LIMIT_BYTES (1ull << 30)
/* Removes the oldest entries when all together are over the limit. Called when an entry was made. */
void cache_trim(int dir_fd, u64 limit_bytes);

#endif
