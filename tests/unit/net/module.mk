unit-net-srcs := tests/unit/net/test_net.c tests/unit/net/test_tcp_link.c tests/unit/net/test_tcp_wire.c tests/unit/net/test_input.c tests/unit/net/test_tcp_script.c tests/unit/net/test_ip6.c tests/unit/net/test_merge.c tests/unit/net/test_lock.c \
	tests/lib/sim_rt.c tests/lib/sim_thread.c tests/lib/nic_pair.c tests/lib/pkt_script.c tests/lib/pkt_lex.c $(net-objs:.o=.c) userlib/rt/timer.c userlib/rt/waitq.c userlib/rt/lock.c userlib/rt/uaccess.c
unit-net-libs := -Wl,--wrap=net_loop_queue
unit-net-flags := -DSCRIPT_DIR='"$(CURDIR)/tests/unit/net/scripts"'
# Of libFuzzer targets (tests/run_fuzz.sh): the stack and its simulated world.
print-fuzz-net-srcs:
	@echo tests/fuzz/world.c tests/lib/sim_rt.c tests/lib/sim_thread.c tests/lib/nic_pair.c $(net-objs:.o=.c) userlib/rt/timer.c userlib/rt/waitq.c userlib/rt/lock.c userlib/rt/uaccess.c
.PHONY: print-fuzz-net-srcs
