/* SPDX-License-Identifier: MIT */
#ifndef USERLIB_ENTRY_NET_SETUP_H
#define USERLIB_ENTRY_NET_SETUP_H

/* Brings up the interfaces that the launcher handed over. */
void net_setup(void);

#endif
