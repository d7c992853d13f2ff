/* Boots that fail, each by a bug of a kind that happens, chosen by `fail=` on the command line.
 * Each function does nothing unless its failure is asked for. The eighth, init-dies, is the user
 * program's (program/init.c). */
#ifndef GUEST_FAILURES_H
#define GUEST_FAILURES_H
#include "hypercall.h"

void failure_wild_jump(void);
void failure_null_trap(void (**handlers)(void));
void failure_null_trap_probe(void);
void failure_page_fault_loop(u64 address);
void failure_stack_overflow(void);
void failure_bad_pagetable(void);
void failure_panic(void);
void failure_deadlock(void);
#endif
