/* SPDX-License-Identifier: MIT */
/* Shared inside file/ only: the ordinary kinds of files. */
#ifndef USERLIB_FILE_FILE_INTERNAL_H
#define USERLIB_FILE_FILE_INTERNAL_H

#include "userlib/file/file.h"

extern const struct file_ops path_file_ops; /* O_PATH: a name, no data */
/* A regular file or directory by its inode's read/write/readdir. The caller sets path and inode. */
int inode_file_open(struct inode *i, unsigned open_flags, struct file **out);

#endif
