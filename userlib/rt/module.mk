rt-objs := userlib/rt/host.o userlib/rt/host_ring.o userlib/rt/lock.o userlib/rt/waitq.o userlib/rt/timer.o userlib/rt/uaccess.o userlib/rt/sched.o \
	userlib/rt/kthread.o userlib/rt/trap.o userlib/rt/filter.o userlib/rt/clock.o userlib/rt/jobctl.o userlib/rt/kmod.o userlib/rt/ctl.o userlib/rt/cores.o userlib/arch/x86_64/uintr.o \
	userlib/arch/x86_64/host_call.o userlib/arch/x86_64/switch.o userlib/arch/x86_64/uaccess.o
