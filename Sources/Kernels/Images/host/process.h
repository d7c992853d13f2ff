/* The host's ordinary processes. */
#ifndef PROCESS_H
#define PROCESS_H

#include "task.h"

/* Where things lie in a process (user/program.h has the same numbers for CPL 3). */
#define USER_TEXT 0x400000UL
#define USER_HEAP 0x600000UL
#define USER_HEAP_END 0x640000UL
#define USER_ARGUMENTS 0x700000UL
#define USER_STACK_TOP 0x800000UL
#define USER_GUEST_IMAGE 0x40000000UL
#define USER_GUEST_MEMORY 0x80000000UL
#define USER_END 0x00007ffffffff000UL /* the last page of the lower half is never mapped */

/* A worker that makes `rounds` rounds of host system calls. */
struct task *worker_create(u64 n, u64 rounds);
/* The launcher of guest n, with the guest's image and memory in its address space. */
struct task *launcher_create(u64 n);
/* A fault of the current process; 1 if the page is there now. */
int process_demand_page(u64 address, u64 error);
/* Ends the current process, and says why in its output. */
[[noreturn]] void process_kill(const char *text, ...);

#endif
