file-objs := $(addprefix userlib/file/,file.o fdtab.o inode_file.o pipe.o eventfd.o timerfd.o signalfd.o fasync.o epoll.o poll.o inotify.o memfd.o \
	chardev.o hostfile.o tty_job.o pty.o ldisc.o devpts.o socket.o sock_inet.o sock_unix.o sock_unix_io.o sock_unix_gc.o sock_netlink.o sock_netlink_route.o sock_netlink_diag.o netdev.o)
