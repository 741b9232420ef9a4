net-objs := net/stack.o net/info.o net/ip.o net/ip6.o net/ip_frag.o net/udp.o net/sock.o net/sock_opt.o net/nic/nic_tap.o net/nic/nic_port.o \
	net/tcp/tcp_conn.o net/tcp/tcp_ring.o net/tcp/tcp_state.o net/tcp/tcp_open.o net/tcp/tcp_syncookie.o net/tcp/tcp_opt.o net/tcp/tcp_in.o net/tcp/tcp_ack.o net/tcp/tcp_data.o \
	net/tcp/tcp_out.o net/tcp/tcp_sack.o net/tcp/tcp_rack.o net/tcp/tcp_cc.o net/tcp/tcp_cc_reno.o net/tcp/tcp_cc_cubic.o net/tcp/tcp_timer.o net/tcp/tcp_pmtu.o net/tcp/tcp_tune.o net/tcp/tcp_info.o net/tcp/tcp_user.o
