/* The trap table and the dispatch of what enters by it. */
#include "traps.h"

#include "failures.h"
#include "print.h"

#define EXCEPTION_COUNT 32

void trap_entry(void);

static u64 exceptions;

u64 trap_exceptions(void) {
    return exceptions;
}

/* What is handled, by vector; the host kills a guest that raises any other. */
static void (*handlers[VIRTUAL_IRQ_BASE + 2])(void) = {
    [0] = trap_entry,  [1] = trap_entry,  [3] = trap_entry,  [4] = trap_entry,
    [5] = trap_entry,  [6] = trap_entry,  [7] = trap_entry,  [10] = trap_entry,
    [11] = trap_entry, [12] = trap_entry, [13] = trap_entry, [14] = trap_entry,
    [16] = trap_entry, [17] = trap_entry, [19] = trap_entry,
    [VIRTUAL_IRQ_BASE + VIRTUAL_IRQ_TIMER] = trap_entry,
    [VIRTUAL_IRQ_BASE + VIRTUAL_IRQ_CONSOLE] = trap_entry,
};

void trap_table_load(void) {
    failure_null_trap(handlers);
    for (u64 vector = 0; vector < sizeof(handlers) / sizeof(handlers[0]); vector++) {
        hypercall(HYPERCALL_LOAD_IDT_ENTRY, vector, (u64)handlers[vector], 0);
    }
}

const char *trap_name(u64 vector) {
    static const char *const names[EXCEPTION_COUNT] = {
        [0] = "divide error",         [1] = "debug exception",
        [3] = "breakpoint",           [4] = "overflow",
        [5] = "bound range exceeded", [6] = "invalid opcode",
        [7] = "device not available", [10] = "invalid TSS",
        [11] = "segment not present", [12] = "stack fault",
        [13] = "protection fault",    [14] = "page fault",
        [16] = "x87 error",           [17] = "alignment check",
        [19] = "SIMD error",
    };
    return vector < EXCEPTION_COUNT && names[vector] != nullptr ? names[vector] : "unknown trap";
}

static void exception(struct guest_frame *frame, u64 fault_address) {
    exceptions++;
    if (frame->vector == VECTOR_PAGE_FAULT) {
        page_fault(frame, fault_address);
    } else if (frame_is_user(frame)) {
        user_fault(frame, 0);
    } else {
        panic("%s in the kernel at 0x%lx, error 0x%lx", trap_name(frame->vector), frame->rip,
              frame->error);
    }
}

/* Called by trap_entry with virtual interrupts off, and returns so. The shared page's CR2 is read
 * before anything can fault again. */
void trap_dispatch(struct guest_frame *frame) {
    u64 fault_address = shared->cr2;
    switch (frame->vector) {
    case VIRTUAL_IRQ_BASE + VIRTUAL_IRQ_TIMER:
        timer_interrupt();
        break;
    case VIRTUAL_IRQ_BASE + VIRTUAL_IRQ_CONSOLE:
        console_interrupt();
        break;
    default:
        exception(frame, fault_address);
    }
    if (frame_is_user(frame) && schedule_wanted()) {
        schedule();
    }
}
