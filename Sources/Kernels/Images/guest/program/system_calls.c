/* Phase 1: three processes making system calls at once, some of them refused. */
#include "program.h"

#define CALLERS 3
#define CALLS_PER_WORK 40

static u64 make_calls(u64 count) {
    u64 checksum = (u64)program_getpid();
    u64 heap_end = program_break(0);
    for (u64 i = 0; i < count; i++) {
        s64 result;
        switch (i % 8) {
        case 1:
            result = (s64)program_break(0);
            require((u64)result == heap_end, "brk changed by itself");
            break;
        case 3:
            result = system_call(SYSTEM_WRITE, 9, (u64)&i, 1);
            require(result == -1, "write to a closed file was not refused");
            break;
        case 5:
            result = system_call(999, i, 0, 0);
            require(result == -1, "an unknown system call was not refused");
            break;
        case 7:
            /* The kernel address is not the user's to write from. */
            result = i % 16 == 7 ? system_call(SYSTEM_YIELD, 0, 0, 0)
                                 : system_call(SYSTEM_WRITE, 1, GUEST_PAGE_OFFSET, 1) + 1;
            require(result == 0, "write from kernel memory was not refused");
            break;
        default:
            result = program_getpid();
        }
        checksum = mix(checksum, (u64)result);
    }
    return checksum & 0xffffffff;
}

void phase_system_calls(u64 work) {
    s64 callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = program_fork("caller");
        if (callers[i] == 0) {
            program_exit((s64)make_calls(work * CALLS_PER_WORK));
        }
    }
    for (int i = 0; i < CALLERS; i++) {
        struct output output;
        output.count = 0;
        output_text(&output, "calls: caller ");
        output_number(&output, (u64)callers[i]);
        output_text(&output, " checksum ");
        output_hex(&output, (u64)program_wait(callers[i]));
        output_end_line(&output);
    }
}
