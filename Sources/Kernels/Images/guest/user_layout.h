/* The user half of every process: what lies where. Shared with the user program. */
#ifndef GUEST_USER_LAYOUT_H
#define GUEST_USER_LAYOUT_H

#define USER_BASE 0x400000ul              /* the program: text, constants, data */
#define USER_HEAP_BASE 0x10000000ul       /* grows up to the process's break */
#define USER_HEAP_LIMIT 0x20000000ul
#define USER_STACK_TOP 0x7ffffffff000ul   /* grows down; the page above is never mapped, so that */
#define USER_STACK_SIZE 0x40000ul         /* no SYSCALL can return to a non-canonical address */
#define USER_STACK_BASE (USER_STACK_TOP - USER_STACK_SIZE)
#define USER_END 0x800000000000ul
#endif
