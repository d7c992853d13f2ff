/* Round robin over the process table. A process gives the processor up when it blocks, yields, or
 * returns to user mode after its quantum; kernel code is never preempted. Everything here runs
 * with virtual interrupts off. */
#include "print.h"
#include "process.h"

#define QUANTUM_TICKS 2

static u64 quantum_used;
static bool wanted;

/* The next runnable process after the current one, which comes last, or NULL. */
static struct process *pick(void) {
    u32 start = 0;
    while (process_at(start) != current) {
        start++;
    }
    for (u32 step = 1; step <= PROCESS_LIMIT; step++) {
        struct process *process = process_at((start + step) % PROCESS_LIMIT);
        if (process->state == PROCESS_RUNNABLE) {
            return process;
        }
    }
    return nullptr;
}

void switch_context(u64 *save, u64 load);

/* The stack pointer for entries from user mode and the address space go with the process. */
static void load_process(struct process *process) {
    current = process;
    quantum_used = 0;
    wanted = false;
    hypercall(HYPERCALL_SET_STACK, process->kernel_stack, 0, 0);
    hypercall(HYPERCALL_NEW_PGTABLE, process->space.root, 0, 0);
}

void schedule(void) {
    struct process *next;
    while ((next = pick()) == nullptr) {
        /* Idle, on the stack of whoever blocked last. An interrupt between pick and the call
         * stays pending, and the call then returns at once. */
        hypercall_halt();
    }
    struct process *previous = current;
    if (next == previous) {
        quantum_used = 0;
        wanted = false;
        return;
    }
    load_process(next);
    switch_context(&previous->kernel_rsp, next->kernel_rsp);
}

[[noreturn]] void schedule_start(struct process *first) {
    u64 boot_rsp;
    load_process(first);
    switch_context(&boot_rsp, first->kernel_rsp);
    panic("the boot stack was scheduled");
}

void schedule_tick(u64 now) {
    for (u32 index = 0; index < PROCESS_LIMIT; index++) {
        struct process *process = process_at(index);
        if (process->state == PROCESS_SLEEPING && process->wake_tick <= now) {
            process->state = PROCESS_RUNNABLE;
        }
    }
    if (current->state == PROCESS_RUNNABLE) {
        if (++quantum_used >= QUANTUM_TICKS) {
            wanted = true;
        }
    }
}

bool schedule_wanted(void) {
    return wanted;
}

void schedule_wake_readers(void) {
    for (u32 index = 0; index < PROCESS_LIMIT; index++) {
        if (process_at(index)->state == PROCESS_READING) {
            process_at(index)->state = PROCESS_RUNNABLE;
        }
    }
}

void process_yield(void) {
    u32 interrupts = interrupts_save();
    if (pick() == current) {
        /* Nobody here wants the processor; the host's other tasks may. */
        hypercall(HYPERCALL_YIELD, 0, 0, 0);
    } else {
        schedule();
    }
    interrupts_restore(interrupts);
}

void process_sleep(u64 ticks) {
    u32 interrupts = interrupts_save();
    current->wake_tick = shared->ticks + ticks;
    current->state = PROCESS_SLEEPING;
    schedule();
    interrupts_restore(interrupts);
}
