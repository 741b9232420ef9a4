unit-jctl-srcs := tests/unit/jctl/test_jctl.c $(patsubst %.o,%.c,$(filter-out tools/jctl/main.o,$(jctl-objs)) $(patch-objs))
unit-jctl-libs := $(jctl-libs)
# filter_programs.h: build/jctl comes first
unit-jctl-cflags := -I$(O)/gen
