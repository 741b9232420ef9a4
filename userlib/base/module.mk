base-objs := userlib/base/string.o userlib/base/fmt.o userlib/base/log.o userlib/base/page.o userlib/base/slab.o
