/* Faults of a user program: given to its handler, if it has one, or fatal. */
#include "user_fault.h"

#include "print.h"
#include "traps.h"

#define RED_ZONE 128            /* System V ABI: a leaf function may use it below its RSP */
#define USER_FLAGS 0x240cd5ul   /* what a handler may change: status flags, TF, DF, AC, ID */

static void print_killed(const struct guest_frame *frame, u64 address) {
    if (frame->vector == VECTOR_PAGE_FAULT) {
        const char *verb = (frame->error & PAGE_FAULT_FETCH) != 0   ? "fetch from"
                           : (frame->error & PAGE_FAULT_WRITE) != 0 ? "write to"
                                                                    : "read of";
        print("guest: %s killed: page fault, %s 0x%lx\n", current->name, verb, address);
    } else {
        print("guest: %s killed: %s\n", current->name, trap_name(frame->vector));
    }
}

void user_fault(struct guest_frame *frame, u64 address) {
    /* A fault inside the handler is fatal: the handler is what failed. */
    if (current->fault_handler != 0 && !current->handling_fault) {
        struct fault_context context = {.address = address, .registers = *frame};
        u64 context_at = (frame->rsp - RED_ZONE - sizeof(context)) & ~15ul;
        /* The handler's return address, so that RSP is what a called function expects. */
        u64 return_at = context_at - sizeof(u64);
        if (copy_to_user(context_at, &context, sizeof(context)) &&
            copy_to_user(return_at, &current->fault_return, sizeof(u64))) {
            current->handling_fault = true;
            frame->rdi = context_at;
            frame->rsp = return_at;
            frame->rip = current->fault_handler;
            return;
        }
    }
    print_killed(frame, address);
    process_exit(-1);
}

bool user_fault_return(struct guest_frame *frame, u64 context_at) {
    struct fault_context context;
    if (!current->handling_fault || !copy_from_user(&context, context_at, sizeof(context))) {
        return false;
    }
    current->handling_fault = false;
    u64 flags = frame->rflags;
    *frame = context.registers;
    frame->cs = GUEST_VIRTUAL_USER_CS;
    frame->ss = GUEST_VIRTUAL_USER_SS;
    frame->rflags = (flags & ~USER_FLAGS) | (context.registers.rflags & USER_FLAGS);
    /* Not as a system call's return: RCX and R11 are the interrupted code's own. */
    frame->vector = VECTOR_BREAKPOINT;
    return true;
}
