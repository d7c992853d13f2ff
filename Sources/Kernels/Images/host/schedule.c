/* The scheduler: round robin, preemptive for CPL 3, driven by the local APIC's timer. */
#include "cpu.h"
#include "memory.h"
#include "panic.h"
#include "strings.h"
#include "task.h"

#define SLICE 2 /* ticks */

struct task tasks[MAX_TASKS];
volatile u64 ticks;

void start_user_task(void);
void start_kernel_task(void);

static u32 next_pid = 1;

void tasks_start(u64 stack_top)
{
    struct task *first = &tasks[0];
    first->stack_top = stack_top;
    first->state = TASK_RUNNABLE;
    first->slice = SLICE;
    first->root = host_root;
    first->cr3 = to_physical(host_root);
    first->pid = 0;
    memcpy(first->name, "init", 5);
    tss.rsp[0] = stack_top;
    pda_table[0].kernelstack = stack_top - PDA_STACK_OFFSET;
    pda_table[0].active_root = first->cr3;

    struct task *idle = task_create("idle", host_root, (u64)idle_loop, 0);
    if (idle != &tasks[IDLE_TASK])
        panic("the idle task is not task %u", (u64)IDLE_TASK);
}

static u64 stack_alloc(void)
{
    /* Two pages in a row: the pool hands them out upwards until something is freed, and tasks are
     * created before that. */
    u8 *low = page_alloc();
    u8 *high = page_alloc();
    if (!low || high != low + PAGE_SIZE)
        panic("out of memory for a kernel stack");
    return (u64)low + TASK_STACK_SIZE;
}

struct task *task_create(const char *name, u64 *root, u64 entry, u64 user_stack)
{
    u64 n = 0;
    while (n < MAX_TASKS && tasks[n].state != TASK_FREE)
        n++;
    if (n == MAX_TASKS)
        panic("too many tasks");
    struct task *task = &tasks[n];
    memset(task, 0, sizeof *task);
    format(task->name, sizeof task->name, "%s", name);
    task->pid = next_pid++;
    task->slice = SLICE;
    task->state = TASK_WAITING;
    task->root = root;
    task->cr3 = to_physical(root);
    task->stack_top = stack_alloc();

    u64 *stack = (u64 *)task->stack_top;
    int user = !(entry >> 63);
    if (user) {
        struct guest_frame *frame = (struct guest_frame *)(task->stack_top - FRAME_SIZE);
        frame->rip = entry;
        frame->cs = USER_CS;
        frame->rflags = RFLAGS_FIXED | RFLAGS_IF;
        frame->rsp = user_stack;
        frame->ss = USER_DS;
        stack = (u64 *)frame;
    } else {
        *--stack = 0; /* so that start_kernel_task's call leaves the stack as C expects */
        *--stack = 0;
    }
    *--stack = user ? (u64)start_user_task : (u64)start_kernel_task;
    *--stack = RFLAGS_FIXED; /* IF = 0: switch_context returns with it */
    *--stack = 0;            /* RBP */
    *--stack = entry;        /* RBX */
    for (int i = 0; i < 4; i++)
        *--stack = 0;
    task->rsp = (u64)stack;
    return task;
}

void task_ready(struct task *task)
{
    task->state = TASK_RUNNABLE;
}

static struct task *pick(struct task *current)
{
    u64 start = (u64)(current - tasks);
    for (u64 i = 1; i <= MAX_TASKS; i++) {
        u64 n = (start + i) % MAX_TASKS;
        if (n != IDLE_TASK && tasks[n].state == TASK_RUNNABLE)
            return &tasks[n];
    }
    return &tasks[IDLE_TASK];
}

void schedule(void)
{
    u64 flags = interrupts_save();
    struct task *current = current_task();
    struct task *next = pick(current);
    current->flags &= ~(u64)TIF_NEED_RESCHED;
    next->slice = SLICE;
    if (next != current) {
        /* switch_mm: every root maps the host alike, so the table may change while the stack of
         * `current` is still in use. For a launcher inside its guest cr3 is the shadow root of the
         * context that was interrupted, not the launcher's own (H6). */
        if (pda_table[0].active_root != next->cr3) {
            pda_table[0].active_root = next->cr3;
            write_cr3(next->cr3);
        }
        switch_context(current, next);
    }
    interrupts_restore(flags);
}

void sleep_until(u64 tick)
{
    u64 flags = interrupts_save();
    struct task *task = current_task();
    if (ticks < tick) {
        task->wake_tick = tick;
        task->state = TASK_SLEEPING;
        schedule();
    }
    interrupts_restore(flags);
}

void wake(struct task *task)
{
    if (task->state != TASK_SLEEPING && task->state != TASK_WAITING)
        return;
    task->state = TASK_RUNNABLE;
    if (current_task() == &tasks[IDLE_TASK])
        current_task()->flags |= TIF_NEED_RESCHED;
}

void wait_for(struct task *task)
{
    u64 flags = interrupts_save();
    task->waited_by = current_task();
    while (task->state != TASK_DEAD) {
        current_task()->state = TASK_WAITING;
        schedule();
    }
    interrupts_restore(flags);
}

[[noreturn]] void task_exit(u64 code)
{
    interrupts_off();
    struct task *task = current_task();
    task->exit_code = code;
    task->state = TASK_DEAD;
    if (task->waited_by)
        wake(task->waited_by);
    schedule();
    panic("a dead task was scheduled");
}

void scheduler_tick(void)
{
    struct task *current = current_task();
    for (u64 n = 0; n < MAX_TASKS; n++) {
        if (tasks[n].state == TASK_SLEEPING && tasks[n].wake_tick <= ticks)
            wake(&tasks[n]);
    }
    if (current != &tasks[IDLE_TASK] && --current->slice == 0) {
        current->slice = SLICE;
        current->flags |= TIF_NEED_RESCHED;
    }
}

[[noreturn]] void idle_loop(void)
{
    for (;;) {
        interrupts_off();
        /* STI takes effect after the HLT has begun: a wakeup between the test and the HLT still
         * ends it. */
        if (!(current_task()->flags & TIF_NEED_RESCHED))
            __asm__ volatile("sti; hlt" : : : "memory");
        interrupts_on();
        schedule();
    }
}
