/* The guest's system calls: RAX = number, RDI RSI RDX = arguments, RAX = result, -1 if refused.
 * Numbers are Linux's for x86-64 where Linux has the call. Shared with the user program. */
#ifndef GUEST_SYSTEM_CALL_NUMBERS_H
#define GUEST_SYSTEM_CALL_NUMBERS_H
#include "paravirt_abi.h"

#define SYSTEM_READ 0           /* (0, bytes, capacity) -> count: one line of the console */
#define SYSTEM_WRITE 1          /* (1, bytes, count) -> count */
#define SYSTEM_BRK 12           /* (end) -> the break; unchanged if `end` is not allowed */
#define SYSTEM_YIELD 24         /* () */
#define SYSTEM_NANOSLEEP 35     /* (nanoseconds) */
#define SYSTEM_GETPID 39        /* () */
#define SYSTEM_FORK 57          /* () -> child's id, 0 in the child */
#define SYSTEM_EXIT 60          /* (status) */
#define SYSTEM_WAIT 61          /* (id, or 0 for any; s64 *status) -> id */
#define SYSTEM_SHUTDOWN 169     /* (): the first process only */
#define SYSTEM_SET_NAME 500     /* (NUL-ended name) */
#define SYSTEM_FAULT_HANDLER 501 /* (void (*)(struct fault_context *), void (*return_stub)) */
#define SYSTEM_FAULT_RETURN 502 /* (struct fault_context *) */
#define SYSTEM_PROCESS_INFO 503 /* (index, struct process_info *) -> 0, or -1 past the last */
#define SYSTEM_OPTION 504       /* (enum option) -> its value from the kernel's command line */

#ifndef __ASSEMBLER__
enum option { OPTION_WORK, OPTION_SHELL, OPTION_INIT_DIES, OPTION_PROBE };
enum probe { PROBE_NONE, PROBE_READ_KERNEL, PROBE_HYPERCALL };

struct process_info {
    u64 id;                     /* 0: the entry is free */
    u64 parent;
    char state[8];
    char name[16];
};
#endif
#endif
