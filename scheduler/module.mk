# junctiond: hosted. The switch between instances.
junctiond-objs := $(addprefix scheduler/,main.o port.o forward.o direct.o control.o loop.o uplink_tap.o uplink_xdp.o xdp_link.o segment.o sock_path.o core.o core_kmod.o core_serve.o)
junctiond-libs := -l:libcap.a -ldl

$(O)/junctiond: $(addprefix $(O)/hosted/,$(junctiond-objs))
	@mkdir -p $(@D)
	@echo "  LD  $@"
	$(V)$(CC) -o $@ $^ $(junctiond-libs)
-include $(addprefix $(O)/hosted/,$(junctiond-objs:.o=.d))
