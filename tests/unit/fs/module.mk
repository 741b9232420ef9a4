unit-fs-srcs := tests/unit/fs/fs_test.c tests/unit/fs/test_path.c tests/unit/fs/test_memfs.c tests/unit/fs/test_overlay.c \
	tests/unit/fs/test_hostfs.c tests/unit/fs/test_flock.c tests/lib/sim_fs.c tests/lib/sim_host.c \
	userlib/base/fmt.c userlib/rt/waitq.c $(fs-objs:.o=.c)
unit-fs-libs := -lpthread
