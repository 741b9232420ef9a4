entry-objs := userlib/entry/main.o userlib/entry/init.o userlib/entry/exit.o userlib/entry/netproc.o userlib/entry/ctl.o userlib/entry/patch.o userlib/entry/vdso_image.o userlib/arch/x86_64/entry.o
