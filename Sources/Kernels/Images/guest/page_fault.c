/* Page faults: of user code, and of the kernel where it copies from or to user memory. */
#include "failures.h"
#include "print.h"
#include "traps.h"

/* user_copy.S */
extern char user_copy_begin[], user_copy_end[], user_copy_failed[];

static bool in_user_copy(u64 rip) {
    return rip >= (u64)user_copy_begin && rip < (u64)user_copy_end;
}

static const char *verb(u64 error) {
    if ((error & PAGE_FAULT_FETCH) != 0) {
        return "fetch from";
    }
    return (error & PAGE_FAULT_WRITE) != 0 ? "write to" : "read of";
}

void page_fault(struct guest_frame *frame, u64 address) {
    failure_page_fault_loop(address);
    bool user = frame_is_user(frame);
    if (!user && !in_user_copy(frame->rip)) {
        panic("page fault in the kernel: %s 0x%lx at 0x%lx, error 0x%lx", verb(frame->error),
              address, frame->rip, frame->error);
    }
    enum access access = ACCESS_READ;
    if ((frame->error & PAGE_FAULT_FETCH) != 0) {
        access = ACCESS_EXECUTE;
    } else if ((frame->error & PAGE_FAULT_WRITE) != 0) {
        access = ACCESS_WRITE;
    }
    enum fault_outcome outcome = user_space_fault(&current->space, address, access);
    if (outcome == FAULT_FIXED) {
        return;
    }
    if (!user) {
        frame->rip = (u64)user_copy_failed;
        return;
    }
    if (outcome == FAULT_NO_MEMORY) {
        print("guest: %s killed: out of memory\n", current->name);
        process_exit(-1);
    }
    user_fault(frame, address);
}
