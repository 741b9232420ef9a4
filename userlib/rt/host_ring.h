/* SPDX-License-Identifier: MIT */
/*
 * The restricted io_uring that the launcher made (tools/jctl/ring.c): host file operations that may wait for a disk, without blocking a
 * kThread. It knows READ and FSYNC on files of its table and nothing else. A host without it: the calls say -ENOSYS, callers do it plainly.
 */
#ifndef USERLIB_RT_HOST_RING_H
#define USERLIB_RT_HOST_RING_H

#include "base/types.h"
#include "jabi/jabi_boot.h"

/* Boot, before the filters: maps the ring of descriptor fd. What was mapped, for the address spaces to keep clear of; 0 or -errno. */
int host_ring_attach(int fd, const struct jabi_ring *g, void *map[2], size_t len[2]);
/* The scheduler's: wakes those whose requests are done, and the descriptor that is readable then (-1: no ring). */
bool host_ring_poll(void);
extern int host_ring_fd;

/*
 * As host_pread and host_fsync/host_fdatasync, but the calling uThread parks meanwhile. buf may be program memory of the caller's kProc.
 * off ~0: the descriptor's own position. -ENOSYS: no ring, or not callable here (scheduler context): nothing was done.
 */
long host_ring_read(int fd, void *buf, size_t len, u64 off);
int host_ring_fsync(int fd, bool data_only);

/* How a file's data can be asked for without waiting: learnt at the first read. One byte per file, any value is safe. */
enum host_read_mode { HOST_READ_UNKNOWN, HOST_READ_NOWAIT, HOST_READ_PLAIN };
/*
 * Reads as host_pread: what is in the host's page cache at once, the rest through the ring. May park. A short count is the end of the file
 * or a bad address. off ~0: at the descriptor's own position. *mode is the file's.
 */
long host_pread_park(int fd, void *buf, size_t len, u64 off, u8 *mode);
int host_fsync_park(int fd, bool data_only);

extern u64 host_ring_reads, host_ring_fsyncs; /* for --stats */

#endif
