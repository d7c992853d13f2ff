/* Shadow page tables: what the processor uses while a guest runs, made from the guest's own. */
#ifndef SHADOW_H
#define SHADOW_H

#include "layout.h"

struct vcpu;
struct guest_walk;

#define SHADOW_ROOTS 8
#define SHADOW_PAGES 1024 /* a guest's limit */

/* The shadows of one of the guest's roots. */
struct shadow_root {
    u64 guest_root; /* guest-physical */
    u64 *kernel;    /* PML4 used in guest kernel context; NULL = this slot of the cache is free */
#if ROOTS_TWO
    u64 *user;      /* PML4 used in guest user context */
#endif
    u64 used;       /* sequence number of the last NEW_PGTABLE that chose it */
};

struct shadow {
    struct shadow_root roots[SHADOW_ROOTS];
    u64 sequence;
    u64 pages;          /* in use for tables below the PML4s */
    u64 *shared_tables; /* the PDPT through which the guest kernel sees its shared page */
};

/* Makes the tables of the shared page. */
void shadow_start(struct vcpu *vcpu);
/* The shadows of a guest root, from the cache or new (then the oldest is evicted). Kills the guest
 * if the root maps something into the host's hole. */
struct shadow_root *shadow_root(struct vcpu *vcpu, u64 guest_root);
/* Maps the page of a successful walk in the context that runs now. */
void shadow_fill(struct vcpu *vcpu, u64 address, const struct guest_walk *walk);
#if SELECTORS_SWAP_GDT
/* Maps all that the guest's tables map for its kernel, in the root in use. */
void shadow_prefill(struct vcpu *vcpu);
#endif
/* Forgets one page in both contexts of a root, if the root is cached. */
void shadow_forget_page(struct vcpu *vcpu, u64 guest_root, u64 address);
/* Forgets everything but the roots. */
void shadow_flush(struct vcpu *vcpu);
/* Drops a root from the cache; 0 if it is the one in use. */
int shadow_release(struct vcpu *vcpu, u64 guest_root);

#endif
