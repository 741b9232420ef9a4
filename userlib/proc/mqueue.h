/* SPDX-License-Identifier: MIT */
/* POSIX message queues (mq_overview(7)). The six calls; queues are named objects of the instance, open ones are files. */
#ifndef USERLIB_PROC_MQUEUE_H
#define USERLIB_PROC_MQUEUE_H

#include "base/types.h"

long sys_mq_open(const char __app *name, int flags, unsigned mode, const void __app *attr);
long sys_mq_unlink(const char __app *name);
long sys_mq_timedsend(int fd, const char __app *msg, size_t len, unsigned prio, const void __app *timeout);
long sys_mq_timedreceive(int fd, char __app *msg, size_t len, unsigned __app *prio, const void __app *timeout);
long sys_mq_notify(int fd, const void __app *sev);
long sys_mq_getsetattr(int fd, const void __app *new_attr, void __app *old_attr);

#endif
