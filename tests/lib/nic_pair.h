/* SPDX-License-Identifier: MIT */
/*
 * A wire between two ends in one stack, for unit tests: takes the place of the loopback queue (linked with --wrap=net_loop_queue), so
 * that both ends of a connection run in the test, over an Ethernet-like link that loses, duplicates, reorders, corrupts and delays
 * packets as the simulation's seed says. Watches the segments that pass for breaches of the sequence space and of the window.
 */
#ifndef TESTS_LIB_NIC_PAIR_H
#define TESTS_LIB_NIC_PAIR_H

#include "base/types.h"

struct nic_pair_cfg {
	u32 loss, dup, reorder, corrupt; /* per 10,000 packets */
	s64 delay_ns, jitter_ns;	 /* reorder: an extra delay of up to 4 * delay_ns + 1 ms */
	bool cut;			 /* nothing passes */
};
extern struct nic_pair_cfg nic_pair;
extern u64 nic_pair_sent, nic_pair_lost, nic_pair_breaches;
extern u64 nic_pair_data_segs, nic_pair_rsts;
/* Called for each packet before impairment, if set; false swallows it. */
extern bool (*nic_pair_watch)(const u8 *ip, u32 len);
void nic_pair_start(u32 mtu); /* no impairment, fresh counters */
void nic_pair_inject(const u8 *ip, u32 len); /* arrives now */

#endif
