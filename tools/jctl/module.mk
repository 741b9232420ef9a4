# jctl: hosted. The front end of everything and the launcher behind `jctl run`.
jctl-objs := tools/jctl/main.o tools/jctl/msg.o tools/jctl/config.o tools/jctl/config_json.o tools/jctl/run.o tools/jctl/boot.o \
	tools/jctl/host_files.o tools/jctl/tap.o tools/jctl/confine.o tools/jctl/filter.o tools/jctl/host_calls.o tools/jctl/supervise.o \
	tools/jctl/patch_service.o tools/jctl/doctor.o
jctl-libs := -lseccomp -ljson-c -lcap -lZydis
