/* Exceptions and virtual interrupts. */
#ifndef GUEST_TRAPS_H
#define GUEST_TRAPS_H
#include "process.h"

#define VECTOR_DIVIDE 0
#define VECTOR_BREAKPOINT 3
#define VECTOR_INVALID_OPCODE 6
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_PROTECTION 13
#define VECTOR_PAGE_FAULT 14

#define PAGE_FAULT_PRESENT 0x1
#define PAGE_FAULT_WRITE 0x2
#define PAGE_FAULT_USER 0x4
#define PAGE_FAULT_FETCH 0x10

static inline bool frame_is_user(const struct guest_frame *frame) {
    return (frame->cs & 3) != 0;
}

/* traps.c */
void trap_table_load(void);
u64 trap_exceptions(void);
const char *trap_name(u64 vector);

/* page_fault.c */
void page_fault(struct guest_frame *frame, u64 address);

/* user_fault.c: a fault that the user program caused and paging cannot resolve. */
void user_fault(struct guest_frame *frame, u64 address);
/* The user handler has returned; resumes what its context says. False if there is none. */
bool user_fault_return(struct guest_frame *frame, u64 context);

/* timer.c */
void timer_start(void);
void timer_interrupt(void);
u64 timer_ticks_of(u64 nanoseconds);
void timer_init(u64 host_tick_cycles);

/* console.c */
void console_interrupt(void);
/* A line of at most `capacity` bytes with its newline, edited and echoed; blocks for it. */
u64 console_read_line(char *bytes, u64 capacity);
#endif
