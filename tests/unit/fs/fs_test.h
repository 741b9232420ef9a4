/* SPDX-License-Identifier: MIT */
/* Helpers of the fs/ unit tests: a mounted tree, and whole-file operations that check as they go. */
#ifndef TESTS_UNIT_FS_TEST_H
#define TESTS_UNIT_FS_TEST_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fs/flock.h"
#include "fs/hostfs.h"
#include "fs/memfs.h"
#include "fs/overlay.h"
#include "fs/rootfs.h"
#include "fs/vfs.h"
#include "tests/lib/sim_fs.h"

int open(const char *name, int flags, ...); /* <fcntl.h> clashes with the kernel headers */
extern struct walk_ctx w;	 /* root, cwd and credentials of the test */
extern struct cred cred;
extern char host_dir[64];	 /* a host directory of the test's own, removed at its end */

void t_mount_memfs(void);
void t_mount_overlay(void);	 /* over host_dir */
void t_mount_host(bool writable);
void t_host(const char *command); /* sh -c in host_dir */

int t_put(const char *name, const char *text);		     /* create or truncate, write; 0 or -errno */
const char *t_get(const char *name);			     /* content, or "!ERRNO" */
const char *t_get_inode(struct inode *i);
int t_append(const char *name, const char *text);
const char *t_ls(const char *name);			     /* sorted names, space-separated, without dots */
int t_stat(const char *name, struct kstat *st);		     /* follows */
int t_lstat(const char *name, struct kstat *st);
int t_walk(const char *name, unsigned flags);		     /* error only */
int t_chmod(const char *name, u32 mode);
int t_truncate(const char *name, u64 size);
const char *t_name(const char *name);			     /* path_name of what name leads to */
void t_user(u32 uid);					     /* further calls as that user */
ssize t_write_at(struct inode *i, u64 pos, const void *buf, size_t len);
ssize t_read_at(struct inode *i, u64 pos, void *buf, size_t len);

Suite *path_suite(void);
Suite *memfs_suite(void);
Suite *overlay_suite(void);
Suite *hostfs_suite(void);
Suite *flock_suite(void);

#endif
