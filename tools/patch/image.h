/* SPDX-License-Identifier: MIT */
/* From an ELF file to its patched image (include/jabi/jabi_patch.h). */
#ifndef TOOLS_PATCH_IMAGE_H
#define TOOLS_PATCH_IMAGE_H

#include <sys/stat.h>

#include "jabi/jabi_patch.h"
#include "tools/patch/patch.h"

/*
 * Reads the code of the ELF file behind fd and works out its patches into *s (patch_set_free it in any case).
 * 0, -ENOENT: no site; -ENOEXEC: no x86-64 ELF program or library, or malformed; other -errno.
 */
int image_scan(int fd, u64 file_size, struct patch_set *s) must_check;
/* Writes the image into the empty file out_fd. t comes filled with the key; the rest is filled in here. 0 or -errno. */
int image_write(int fd, int out_fd, const struct patch_set *s,
		struct jabi_patch_trailer *t) must_check;

#endif
