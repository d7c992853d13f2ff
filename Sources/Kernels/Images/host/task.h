/* Tasks and the scheduler. */
#ifndef TASK_H
#define TASK_H

#include "layout.h"
#include "per_cpu.h"

enum task_state { TASK_FREE, TASK_RUNNABLE, TASK_SLEEPING, TASK_WAITING, TASK_DEAD };

struct task {
    volatile u64 flags; /* TIF_ bits */
    u64 rsp;            /* kernel stack pointer while switched out */
    u64 stack_top;      /* of the kernel stack: rsp0 when no guest is entered */
    /* The guest that this task has entered, or NULL: what the CPU's pointer is refreshed from. */
    struct vcpu *vcpu;
    u64 cr3;
    u64 user_rsp; /* PDA.oldrsp while switched out inside a system call */
    u64 fs_base, gs_base;
    u16 ds, es, fs, gs; /* selectors of CPL 3 while switched out */
    volatile u32 state;
    u32 pid;
    u64 wake_tick;
    struct task *waited_by;
    u64 slice; /* ticks left */
    u64 exit_code;
    u64 *root;
    u64 guest; /* launchers: which guest */
    u64 heap_pages;
    char name[16];
    /* What the process has written: a pipe that the task which waits for it reads when it has
     * ended, so that the console's order is the order of waiting and not of the schedule. */
    u64 output_used;
    char output[512];
};
_Static_assert(offset_of(struct task, flags) == TASK_FLAGS, "task");
_Static_assert(offset_of(struct task, rsp) == TASK_RSP, "task");
_Static_assert(offset_of(struct task, vcpu) == TASK_VCPU, "task");

#define MAX_TASKS 16
#define IDLE_TASK 1
extern struct task tasks[MAX_TASKS]; /* 0 is the first task, 1 the idle task */
extern volatile u64 ticks;

void tasks_start(u64 stack_top);
/* A new task, not yet runnable; its kernel stack holds a frame for CPL 3 if `entry` is a user
 * address, else it calls `entry` in the kernel. */
struct task *task_create(const char *name, u64 *root, u64 entry, u64 user_stack);
void task_ready(struct task *task);
/* Switches to the next runnable task. Interrupts may be on or off; they come back as they were. */
void schedule(void);
/* Sleeps until `state` is changed by somebody else or the tick is reached. */
void sleep_until(u64 tick);
void wake(struct task *task);
void wait_for(struct task *task);
[[noreturn]] void task_exit(u64 code);
/* From the timer interrupt. */
void scheduler_tick(void);
[[noreturn]] void idle_loop(void);

/* switch.c: the registers of CPL 3 that belong to a task rather than to its stack. */
void switch_registers(struct task *previous, struct task *next);
void switch_context(struct task *previous, struct task *next);
void load_task_bases(u64 fs_base, u64 gs_base);
/* entry_system_call.S: where LSTAR leads for host users. */
void system_call(void);
/* switch_context.S: loads the GS selector of CPL 3, IF = 0. */
void load_gs_index(u64 selector);

#endif
