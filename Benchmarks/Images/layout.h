/* Numbers that assembly and C share: selectors, machine registers, the user's system calls. */
#ifndef BENCH_LAYOUT_H
#define BENCH_LAYOUT_H

#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER_DS 0x2b
#define USER_CS 0x33
#define TASK_SELECTOR 0x40

#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define VECTOR_PAGE_FAULT 14
#define VECTOR_TIMER 32
#define VECTOR_COUNT 64

#define CALL_EXIT 0    /* (result): end of the user code */
#define CALL_COUNT 1   /* (value) -> value * 3 + how many calls there have been */

/* struct processor in user_mode.c */
#define PROCESSOR_KERNEL_RSP 0
#define PROCESSOR_USER_RSP 8
#define PROCESSOR_CALLS 16
#endif
