/* SPDX-License-Identifier: MIT */
/* A sparse map from u64 to non-NULL pointers: file windows by index, directory entries by cookie. The caller locks; nothing parks. */
#ifndef FS_RADIX_H
#define FS_RADIX_H

#include "base/types.h"

struct radix {
	void *root;
	unsigned height; /* 0: root is the item of key 0 (or NULL) */
};
void *radix_get(const struct radix *r, u64 key);
int radix_set(struct radix *r, u64 key, void *item) must_check; /* 0 or -ENOMEM; replaces */
void *radix_del(struct radix *r, u64 key);			/* what was there, or NULL */
/* The item with the smallest key >= *key, which is set to its key; NULL: none. */
void *radix_next(const struct radix *r, u64 *key);

#endif
