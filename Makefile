# Junction. `make` builds into build/; `make demo` and `make check` are the two commands a fresh machine needs.
# One module.mk per module lists its objects; no source is found by wildcard, no make recursion, no configure step.
CC ?= gcc
O ?= build
PREFIX ?= /usr/local
V ?= @

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
# Instance code: freestanding, no vector registers (they belong to the program), no red zone games with signals on kernel stacks.
KFLAGS := -std=gnu11 -O2 -g -ffreestanding -fPIE -mgeneral-regs-only -mfsgsbase -fno-stack-protector -fcf-protection=none \
	-mno-red-zone -fno-omit-frame-pointer -fvisibility=hidden -fno-asynchronous-unwind-tables -fno-strict-aliasing $(WARN) -Iinclude -I.
HFLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE $(WARN) -Iinclude -I.

all: $(O)/jctl $(O)/junction-kernel $(O)/junctiond

include userlib/base/module.mk userlib/rt/module.mk
-include net/module.mk fs/module.mk userlib/file/module.mk userlib/proc/module.mk userlib/sys/module.mk userlib/entry/module.mk
-include tools/jctl/module.mk tools/patch/module.mk scheduler/module.mk tests/unit/module.mk $(wildcard tests/unit/*/module.mk)
include kmod/module.mk

kernel-objs := $(addprefix $(O)/obj/,$(base-objs) $(rt-objs) $(net-objs) $(fs-objs) $(file-objs) $(proc-objs) $(sys-objs) $(entry-objs))
jctl-all-objs := $(addprefix $(O)/hosted/,$(sort $(jctl-objs) $(patch-objs)))

$(O)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC  $<"
	$(V)$(CC) $(KFLAGS) -MMD -MP -c $< -o $@
$(O)/obj/%.o: %.S
	@mkdir -p $(@D)
	@echo "  AS  $<"
	$(V)$(CC) $(KFLAGS) -MMD -MP -c $< -o $@
$(O)/hosted/%.o: %.c
	@mkdir -p $(@D)
	@echo "  HCC $<"
	$(V)$(CC) $(HFLAGS) -MMD -MP -c $< -o $@

# The vDSO is a small shared object of its own, embedded into the kernel image.
$(O)/vdso.so: userlib/entry/vdso.c userlib/entry/vdso.lds
	@mkdir -p $(@D)
	@echo "  VDSO $@"
	$(V)$(CC) $(filter-out -fPIE,$(KFLAGS)) -fPIC -shared -nostdlib -Wl,-soname,linux-vdso.so.1 -Wl,-T,userlib/entry/vdso.lds \
		-Wl,--hash-style=both -Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,-z,norelro -s -o $@ userlib/entry/vdso.c
$(O)/obj/userlib/entry/vdso_image.o: $(O)/vdso.so
$(O)/obj/userlib/entry/vdso_image.o: KFLAGS += -DVDSO_FILE='"$(O)/vdso.so"'

$(O)/junction-kernel: $(kernel-objs) userlib/entry/kernel.ld
	@echo "  LD  $@"
	$(V)$(CC) -static-pie -nostdlib -nostartfiles -Wl,-T,userlib/entry/kernel.ld -Wl,--no-dynamic-linker -Wl,-z,norelro -Wl,-z,text -Wl,--hash-style=sysv -Wl,--no-warn-rwx-segments -Wl,--build-id=none -o $@ $(kernel-objs)
$(O)/jctl: $(jctl-all-objs)
	@mkdir -p $(@D)
	@echo "  LD  $@"
	$(V)$(CC) -o $@ $(jctl-all-objs) $(jctl-libs)

-include $(kernel-objs:.o=.d) $(jctl-all-objs:.o=.d)

# ---- unit tests: hosted builds of module sources with Check; parsing code also under ASan and UBSan ----
unit-names := fs net lane jctl patch vma mm futex elf kmod scheduler cores
unit-san-fs := -fsanitize=address,undefined -fno-sanitize-recover=undefined
unit-san-net := $(unit-san-fs)
unit-san-lane := $(unit-san-fs)
unit-san-scheduler := $(unit-san-fs)
define unit-rule
$(O)/unit/$(1): $$(unit-$(1)-srcs) $(O)/jctl
	@mkdir -p $$(@D)
	@echo "  UNIT $(1)"
	$(V)$(CC) -std=gnu11 -O1 -g -D_GNU_SOURCE -fno-strict-aliasing -Wall -Iinclude -I. -Itests/lib $$(unit-san-$(1)) $$(unit-$(1)-cflags) \
		$$(unit-$(1)-flags) -o $$@ $$(unit-$(1)-srcs) -lcheck -lsubunit -lm -lrt -lpthread $$(unit-$(1)-libs)
endef
$(foreach u,$(unit-names),$(eval $(call unit-rule,$(u))))
unit: $(addprefix $(O)/unit/,$(unit-names))
	@tests/run_unit.sh $^

# ---- tests, demo, checks: see tests/ ----
deps:
	@tests/install_deps.sh
deps-demo:
	@tests/install_deps.sh --demo
deps-long:
	@tests/install_deps.sh --heavy
demo: deps-demo
	@$(MAKE) --no-print-directory all
	@tests/demo.sh
check: deps
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory layers
	@tests/check.sh
check-long: deps-long
	@$(MAKE) --no-print-directory all
	@tests/check.sh long
# junction.ko in a VM (QEMU, TCG): needs the packages of install_deps.sh --kmod.
check-kmod:
	@tests/install_deps.sh --kmod
	@tests/run_kmod.sh
# The same under a kernel with KASAN, lockdep and kmemleak, which is built first (and kept).
check-kmod-debug: deps-long
	@tests/run_kmod.sh -d
bench-kmod:
	@tests/install_deps.sh --kmod
	@tests/run_kmod.sh -b
bench: all
	@tests/run_bench.sh
# Ping-pong, redis, memcached, nginx, iperf3: two instances over the switch against two Linux processes; an instance to Linux over TAP and AF_XDP.
bench-net: all
	@tests/run_bench_net.sh
# Two busy ports of a switch beside a thousand idle ones.
bench-ports: all
	@tests/run_bench_ports.sh
# Each module may use only what the modules left of it define (tests/layers.txt).
layers: $(kernel-objs)
	@tests/check_layers.sh $(O)
# Layers, sizes, and every source through clang as well (make CC=clang O=build-clang builds with it).
lint: layers
	@tests/lint.sh $(kernel-objs:$(O)/obj/%=%)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/junction
	install -m 755 $(O)/jctl $(DESTDIR)$(PREFIX)/bin/jctl
	install -m 755 $(O)/junction-kernel $(DESTDIR)$(PREFIX)/libexec/junction/junction-kernel
	install -m 755 $(O)/junctiond $(DESTDIR)$(PREFIX)/libexec/junction/junctiond

clean:
	rm -rf $(O)
.PHONY: all unit clean deps deps-demo deps-long demo check check-kmod check-kmod-debug bench-kmod bench-ports check-long bench layers lint install
