# jctl: hosted. The front end of everything and the launcher behind `jctl run`.
jctl-objs := tools/jctl/main.o tools/jctl/msg.o tools/jctl/config.o tools/jctl/config_json.o tools/jctl/run.o tools/jctl/boot.o \
	tools/jctl/host_files.o tools/jctl/tap.o tools/jctl/xdp.o scheduler/xdp_link.o tools/jctl/ring.o tools/jctl/kmod.o tools/jctl/switch.o tools/jctl/switch_client.o tools/jctl/switch_status.o tools/jctl/control.o tools/jctl/attach.o tools/jctl/net.o tools/jctl/pcap.o tools/jctl/passt.o tools/jctl/publish.o scheduler/sock_path.o tools/jctl/confine.o tools/jctl/filter.o tools/jctl/host_calls.o tools/jctl/supervise.o \
	tools/jctl/patch_service.o tools/jctl/doctor.o
# Static where Debian has the archive: an instance starts a quarter of a millisecond sooner. Zydis is loaded when there is something to patch.
jctl-libs := -l:liburing.a -l:libjson-c.a -l:libcap.a -ldl

# The host-call filters are made by libseccomp at build time.
filter-gen-objs := $(addprefix $(O)/hosted/,tools/jctl/filter_gen.o tools/jctl/host_calls.o)
-include $(filter-gen-objs:.o=.d)
$(O)/filter_gen: $(filter-gen-objs)
	@mkdir -p $(@D)
	$(V)$(CC) -o $@ $(filter-gen-objs) -lseccomp
$(O)/gen/tools/jctl/filter_programs.h: $(O)/filter_gen
	@mkdir -p $(@D)
	@echo "  GEN $@"
	$(V)$(O)/filter_gen >$@.tmp && mv $@.tmp $@
$(O)/hosted/tools/jctl/filter.o: $(O)/gen/tools/jctl/filter_programs.h
$(O)/hosted/tools/jctl/filter.o: HFLAGS += -I$(O)/gen
