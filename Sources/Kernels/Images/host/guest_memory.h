/* A guest's memory, reached through its own page tables. */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include "layout.h"

struct vcpu;

#define ACCESS_WRITE 2
#define ACCESS_USER 4
#define ACCESS_FETCH 16 /* the bits of a page fault's error code */
#define ERROR_PRESENT 1

/* Where an address leads. */
struct guest_walk {
    u64 physical; /* guest-physical address */
    u64 page;     /* guest-physical start of its page, 4 KiB or 2 MiB */
    int large;    /* 2 MiB; a 1 GiB page is seen as 2 MiB pages */
    int writable;
    int executable;
    int dirty;
};

/* 1 if `address` may be the guest's at all: canonical, and below the host's hole. */
int guest_address_ok(u64 address);
/* Walks the guest's tables as the processor would for `access`, setting accessed and dirty bits in
 * them. 1 if the access is allowed; else *error is ERROR_PRESENT or 0. An entry that names memory
 * the guest has not got, or has reserved bits set, kills the guest. */
int guest_walk(struct vcpu *vcpu, u64 address, u64 access, struct guest_walk *walk, u64 *error);
/* Copies, with the guest kernel's rights. 1 if all was copied; else *failed is the first address
 * that could not be reached, and what lies before it has been copied. */
int guest_read(struct vcpu *vcpu, void *to, u64 from, u64 count, u64 *failed);
int guest_write(struct vcpu *vcpu, u64 to, const void *from, u64 count, u64 *failed);

#endif
