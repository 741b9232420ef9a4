/* SPDX-License-Identifier: MIT */
/* System calls on extended attributes: bodies in sys_xattr.c. */
#ifndef USERLIB_SYS_SYS_XATTR_CALLS_H
#define USERLIB_SYS_SYS_XATTR_CALLS_H

#include "base/types.h"

long sys_getxattr(const char __app *path, const char __app *key, void __app *val, size_t size);
long sys_lgetxattr(const char __app *path, const char __app *key, void __app *val, size_t size);
long sys_fgetxattr(int fd, const char __app *key, void __app *val, size_t size);
long sys_setxattr(const char __app *path, const char __app *key, const void __app *val, size_t size, int flags);
long sys_lsetxattr(const char __app *path, const char __app *key, const void __app *val, size_t size, int flags);
long sys_fsetxattr(int fd, const char __app *key, const void __app *val, size_t size, int flags);
long sys_listxattr(const char __app *path, char __app *list, size_t size);
long sys_llistxattr(const char __app *path, char __app *list, size_t size);
long sys_flistxattr(int fd, char __app *list, size_t size);
long sys_removexattr(const char __app *path, const char __app *key);
long sys_lremovexattr(const char __app *path, const char __app *key);
long sys_fremovexattr(int fd, const char __app *key);

#endif
