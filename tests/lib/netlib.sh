# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Network namespaces for tests: sourced by the scripts that need one. Every
# namespace is named jt-PID-NAME and removed by net_cleanup, which also ends the
# processes registered with net_pid. Nothing outside own namespaces is touched.

NET_NS=()
NET_PIDS=()

net_ns() { # NAME: make a namespace with lo up; prints nothing, sets NS_NAME
	NS_NAME=jt-$$-$1
	ip netns add "$NS_NAME" || return 1
	NET_NS+=("$NS_NAME")
	ip -n "$NS_NAME" link set lo up
}

net_pid() { # PID...: to be ended at the end
	NET_PIDS+=("$@")
}

net_end() { # PID: end one process and wait for it
	local i
	kill "$1" 2>/dev/null || return 0
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

net_cleanup() {
	local p n
	for p in "${NET_PIDS[@]}"; do
		net_end "$p"
	done
	for n in "${NET_NS[@]}"; do
		ip netns del "$n" 2>/dev/null
	done
	NET_PIDS=()
	NET_NS=()
}

# Wait until redis answers: NS ADDRESS
net_redis_up() {
	local i
	for i in $(seq 100); do
		[ "$(ip netns exec "$1" timeout 1 redis-cli -h "$2" ping 2>/dev/null)" = PONG ] && return 0
		sleep 0.1
	done
	return 1
}

# redis-server on plain Linux: two namespaces joined by a veth pair. Sets
# REDIS_NS (where clients run), REDIS_ADDR and REDIS_PID.
net_redis_linux() {
	local srv
	net_ns lsrv || return 1
	srv=$NS_NAME
	net_ns lcli || return 1
	REDIS_NS=$NS_NAME
	REDIS_ADDR=10.99.1.2
	ip -n "$srv" link add v0 type veth peer name v1 netns "$REDIS_NS" || return 1
	ip -n "$srv" addr add 10.99.1.2/24 dev v0
	ip -n "$REDIS_NS" addr add 10.99.1.1/24 dev v1
	ip -n "$srv" link set v0 up
	ip -n "$REDIS_NS" link set v1 up
	ip netns exec "$srv" redis-server --save '' --appendonly no --protected-mode no \
		--bind 0.0.0.0 >"${NET_LOG:-/dev/null}" 2>&1 &
	REDIS_PID=$!
	net_pid $REDIS_PID
	net_redis_up "$REDIS_NS" $REDIS_ADDR
}

# redis-server in an instance behind a TAP device in a namespace of its own.
net_redis_inst() {
	net_ns inst || return 1
	REDIS_NS=$NS_NAME
	REDIS_ADDR=10.99.2.2
	ip -n "$REDIS_NS" tuntap add dev jtap0 mode tap vnet_hdr || return 1
	ip -n "$REDIS_NS" addr add 10.99.2.1/24 dev jtap0
	ip -n "$REDIS_NS" link set jtap0 up
	ip netns exec "$REDIS_NS" "$JCTL" run --net tap:jtap0 --ip $REDIS_ADDR/24 --gw 10.99.2.1 -- \
		redis-server --save '' --appendonly no --protected-mode no --bind 0.0.0.0 \
		>"${NET_LOG:-/dev/null}" 2>&1 &
	REDIS_PID=$!
	net_pid $REDIS_PID
	net_redis_up "$REDIS_NS" $REDIS_ADDR
}
