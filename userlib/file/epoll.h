/* SPDX-License-Identifier: MIT */
/* What the other files of file/ need of epoll. */
#ifndef USERLIB_FILE_EPOLL_H
#define USERLIB_FILE_EPOLL_H

struct file;
/* The last reference to f goes: every epoll that watches it forgets it. */
void epoll_file_release(struct file *f);

#endif
