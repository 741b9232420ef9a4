# junction.ko. The kernel's build wants sources and objects in one directory: a copy in $(O)/kmod, laid out as DKMS gets it.
KDIR ?= $(or $(wildcard /lib/modules/$(shell uname -r)/build),$(lastword $(sort $(wildcard /usr/src/linux-headers-*-amd64))))
DKMS_SRC := $(DESTDIR)/usr/src/junction-1
kmod-srcs := $(addprefix kmod/,Kbuild dkms.conf junction.h compat.h uintr_logic.h main.c ioctl.c instance.c thread.c cpu.c grant.c watch.c \
	uintr.c uintr_hw.c pagecache.c)

$(O)/kmod/.copied: $(kmod-srcs) include/jabi/jabi_kmod.h
	@mkdir -p $(O)/kmod/include/jabi
	$(V)cp -p $(kmod-srcs) $(O)/kmod/ && cp -p include/jabi/jabi_kmod.h $(O)/kmod/include/jabi/ && touch $@
kmod: $(O)/kmod/.copied
	@test -n "$(KDIR)" || { echo "make kmod: no kernel headers; install linux-headers-amd64 or give KDIR="; exit 1; }
	@echo "  KMOD $(O)/kmod/junction.ko ($(KDIR))"
	$(V)$(MAKE) --no-print-directory -C $(KDIR) O= M=$(abspath $(O)/kmod) $(KMODFLAGS) modules
# W=1 and sparse, warnings are errors.
kmod-check: $(O)/kmod/.copied
	@rm -rf $(O)/kmod-check && cp -r $(O)/kmod $(O)/kmod-check && rm -f $(O)/kmod-check/*.o
	@echo "  CHECK $(O)/kmod-check"
	$(V)$(MAKE) --no-print-directory -C $(KDIR) O= M=$(abspath $(O)/kmod-check) W=1 C=1 KCFLAGS=-Werror modules >$(O)/kmod-check.log 2>&1 || \
		{ cat $(O)/kmod-check.log; exit 1; }
	@! grep -E 'junction.*(warning|error):|kmod-check/.*(warning|error):' $(O)/kmod-check.log
modules_install: kmod
	$(V)$(MAKE) --no-print-directory -C $(KDIR) O= M=$(abspath $(O)/kmod) INSTALL_MOD_DIR=updates $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	install -D -m 644 kmod/60-junction.rules $(DESTDIR)/etc/udev/rules.d/60-junction.rules
dkms_install:
	install -d $(DKMS_SRC)/include/jabi
	install -m 644 $(kmod-srcs) $(DKMS_SRC)/
	install -m 644 include/jabi/jabi_kmod.h $(DKMS_SRC)/include/jabi/
	$(if $(DESTDIR),,dkms add junction/1 && dkms install junction/1)
.PHONY: kmod kmod-check modules_install dkms_install
