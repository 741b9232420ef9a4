net-objs := net/stack.o net/info.o net/ip.o net/ip6.o net/ip_frag.o net/udp.o net/sock.o net/sock_opt.o net/nic/nic_tap.o net/nic/nic_port.o net/tcp/tcp_conn.o net/tcp/tcp_open.o net/tcp/tcp_in.o \
	net/tcp/tcp_out.o net/tcp/tcp_timer.o net/tcp/tcp_sack.o net/tcp/tcp_cc.o net/tcp/tcp_user.o
