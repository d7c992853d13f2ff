/* Processes and the scheduler. */
#ifndef GUEST_PROCESS_H
#define GUEST_PROCESS_H
#include "user_space.h"

#define PROCESS_LIMIT KERNEL_STACK_COUNT
#define PROCESS_NAME_SIZE 16

enum process_state {
    PROCESS_FREE,
    PROCESS_RUNNABLE,
    PROCESS_SLEEPING,   /* until wake_tick */
    PROCESS_WAITING,    /* for a child to exit */
    PROCESS_READING,    /* for console input */
    PROCESS_ZOMBIE,     /* exited, its parent has not waited */
};

struct process {
    u32 id;
    enum process_state state;
    struct process *parent;
    u64 kernel_rsp;             /* while it does not run: its stack, as switch_context left it */
    u64 kernel_stack;           /* top of its kernel stack */
    struct user_space space;
    u64 wake_tick;
    s64 exit_status;
    u64 fault_handler;          /* user address, or 0 */
    u64 fault_return;           /* user address that the handler returns to */
    bool handling_fault;
    char name[PROCESS_NAME_SIZE];
};

/* process.c */
extern struct process *current;
struct process *process_at(u32 index);
/* A kernel thread that has a user space and may leave for it by returning; runs `start` first. */
struct process *process_create_first(const char *name, void (*start)(void));
/* The struct guest_frame at the top of a process's kernel stack: its user registers. */
struct guest_frame *process_frame(struct process *process);
/* Makes `frame` the start of a user program at `entry`. */
void process_enter_user(struct guest_frame *frame, u64 entry);
/* The new process's id, or -1. */
s64 process_fork(const struct guest_frame *frame);
[[noreturn]] void process_exit(s64 status);
/* Waits for the child `id`, or any if 0; its id, or -1 if there is none such. */
s64 process_wait(u32 id, s64 *status);
u64 process_count_created(void);

/* schedule.c: with virtual interrupts off, except where it says otherwise. */
void schedule(void);
[[noreturn]] void schedule_start(struct process *first);
/* The virtual timer has reached tick `now`. */
void schedule_tick(u64 now);
bool schedule_wanted(void);
void schedule_wake_readers(void);
/* Both may be called with virtual interrupts on. */
void process_yield(void);
void process_sleep(u64 ticks);
#endif
