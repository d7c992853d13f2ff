/* The process table: creation, fork, exit, wait. */
#include "process.h"

#include "print.h"
#include "strings.h"

/* What switch_context pops from a kernel stack, lowest address first. */
struct switch_frame {
    u64 r15, r14, r13, r12, rbx, rbp, rip;
};

void fork_child_return(void);
void kernel_thread_start(void);

struct process *current;
static struct process table[PROCESS_LIMIT];
static u32 last_id;

struct process *process_at(u32 index) {
    return &table[index];
}

u64 process_count_created(void) {
    return last_id;
}

struct guest_frame *process_frame(struct process *process) {
    return (struct guest_frame *)process->kernel_stack - 1;
}

/* A free entry with its stack laid out so that switching to it returns to `start`. It cannot run
 * before its state is set to runnable. */
static struct process *allocate(void (*start)(void), u64 rbx) {
    for (u32 index = 0; index < PROCESS_LIMIT; index++) {
        struct process *process = &table[index];
        if (process->state != PROCESS_FREE) {
            continue;
        }
        memset(process, 0, sizeof(*process));
        process->kernel_stack = kernel_stack_top(index);
        struct switch_frame *frame = (struct switch_frame *)process_frame(process) - 1;
        *frame = (struct switch_frame){.rbx = rbx, .rip = (u64)start};
        process->kernel_rsp = (u64)frame;
        return process;
    }
    return nullptr;
}

struct process *process_create_first(const char *name, void (*start)(void)) {
    struct process *process = allocate(kernel_thread_start, (u64)start);
    if (!user_space_create(&process->space)) {
        panic("no memory for the first process");
    }
    process->id = ++last_id;
    memcpy(process->name, name, strlen(name) + 1);
    process->state = PROCESS_RUNNABLE;
    return process;
}

void process_enter_user(struct guest_frame *frame, u64 entry) {
    memset(frame, 0, sizeof(*frame));
    frame->rip = entry;
    frame->rcx = entry;   /* as if returning from a system call */
    frame->r11 = VIRTUAL_IF | 2;
    frame->rsp = USER_STACK_TOP;
    frame->cs = GUEST_VIRTUAL_USER_CS;
    frame->ss = GUEST_VIRTUAL_USER_SS;
    frame->rflags = VIRTUAL_IF | 2;
    frame->vector = FRAME_VECTOR_SYSCALL;
}

s64 process_fork(const struct guest_frame *frame) {
    struct process *child = allocate(fork_child_return, 0);
    if (child == nullptr || !user_space_fork(&current->space, &child->space)) {
        return -1;
    }
    struct guest_frame *child_frame = process_frame(child);
    *child_frame = *frame;
    child_frame->rax = 0;
    child->parent = current;
    child->fault_handler = current->fault_handler;
    child->fault_return = current->fault_return;
    child->handling_fault = current->handling_fault;
    memcpy(child->name, current->name, PROCESS_NAME_SIZE);
    child->id = ++last_id;
    child->state = PROCESS_RUNNABLE;
    return child->id;
}

static void wake_waiter(struct process *process) {
    if (process->state == PROCESS_WAITING) {
        process->state = PROCESS_RUNNABLE;
    }
}

[[noreturn]] void process_exit(s64 status) {
    interrupts_disable();
    if (current->parent == nullptr) {
        panic("%s (process %ld) exited with status %ld", current->name, (s64)current->id, status);
    }
    for (u32 index = 0; index < PROCESS_LIMIT; index++) {
        /* The first process adopts orphans; it may be waiting for any of them. */
        if (table[index].state != PROCESS_FREE && table[index].parent == current) {
            table[index].parent = &table[0];
            if (table[index].state == PROCESS_ZOMBIE) {
                wake_waiter(&table[0]);
            }
        }
    }
    /* The tables in use must not be those that are freed. */
    hypercall(HYPERCALL_NEW_PGTABLE, kernel_root(), 0, 0);
    user_space_destroy(&current->space);
    current->exit_status = status;
    current->state = PROCESS_ZOMBIE;
    wake_waiter(current->parent);
    schedule();
    panic("an exited process was scheduled");
}

s64 process_wait(u32 id, s64 *status) {
    u32 interrupts = interrupts_save();
    s64 result = -1;
    for (;;) {
        bool any = false;
        for (u32 index = 0; index < PROCESS_LIMIT; index++) {
            struct process *child = &table[index];
            if (child->state == PROCESS_FREE || child->parent != current ||
                (id != 0 && child->id != id)) {
                continue;
            }
            any = true;
            if (child->state == PROCESS_ZOMBIE) {
                *status = child->exit_status;
                result = child->id;
                child->state = PROCESS_FREE;
                break;
            }
        }
        if (!any || result >= 0) {
            break;
        }
        current->state = PROCESS_WAITING;
        schedule();
    }
    interrupts_restore(interrupts);
    return result;
}
