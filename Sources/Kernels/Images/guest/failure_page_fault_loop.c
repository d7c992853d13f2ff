/* fail=page-fault-loop: the page fault handler itself uses memory that is not mapped, so each fault
 * is answered by another, one frame further down the kernel stack, until that is used up. */
#include "command_line.h"
#include "failures.h"

struct fault_statistics {
    u64 faults;
    u64 last_address;
};

/* Allocated by the statistics' set-up, which runs after the first fault. */
static struct fault_statistics *volatile fault_statistics;

[[gnu::noinline]] static void account_fault(u64 address) {
    struct fault_statistics *statistics = fault_statistics;
    statistics->faults++;
    statistics->last_address = address;
}

void failure_page_fault_loop(u64 address) {
    if (command_line_is("fail", "page-fault-loop")) {
        account_fault(address);
    }
}
