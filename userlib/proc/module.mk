proc-objs := userlib/proc/clone.o userlib/proc/cpu_clock.o userlib/proc/cred.o userlib/proc/cpu_info.o userlib/proc/elf.o \
	userlib/proc/elf_load.o userlib/proc/exec.o userlib/proc/exit.o userlib/proc/futex.o userlib/proc/futex_pi.o \
	userlib/proc/futex_robust.o userlib/proc/hooks.o userlib/proc/ipc.o userlib/proc/ipc_msg.o userlib/proc/ipc_sem.o \
	userlib/proc/ipc_shm.o userlib/proc/itimer.o userlib/proc/mm.o \
	userlib/proc/mm_advise.o userlib/proc/mm_change.o userlib/proc/mm_fault.o userlib/proc/mm_fork.o \
	userlib/proc/mm_map.o userlib/proc/mm_object.o userlib/proc/mm_show.o userlib/proc/mm_window.o userlib/proc/mqueue.o \
	userlib/proc/pgrp.o userlib/proc/pidfd.o userlib/proc/posix_timer.o userlib/proc/proc.o userlib/proc/procfs.o \
	userlib/proc/procfs_args.o userlib/proc/procfs_fd.o userlib/proc/procfs_mounts.o userlib/proc/procfs_pid.o \
	userlib/proc/procfs_system.o userlib/proc/pseudo.o userlib/proc/rseq.o userlib/proc/sigframe.o userlib/proc/signal.o \
	userlib/proc/signal_deliver.o userlib/proc/sysfs.o userlib/proc/uts.o userlib/proc/vm_access.o userlib/proc/vma.o userlib/proc/wait.o
