/* SPDX-License-Identifier: MIT */
/* The commands of jctl, one row each. Included many times. */
CMD(run, "run a program in an instance")
CMD(doctor, "what this host offers, and how to get what is missing")
CMD(switch, "the ports of a running switch, their traffic and drops")
CMD(net, "the network of a running instance: interfaces, sockets, drops")
CMD(pcap, "capture the packets of a running instance")
CMD(patch, "patch the system-call sites of an ELF file into the cache and say how many")
