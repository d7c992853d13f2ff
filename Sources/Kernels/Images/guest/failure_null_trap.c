/* fail=null-trap: the kernel finds out whether a register exists by reading it, and trusts the
 * protection fault's handler to skip the read if it does not. But that entry of the trap table
 * comes from a structure that nobody filled: the host was given a NULL handler. */
#include "command_line.h"
#include "failures.h"

#define PROTECTION_FAULT 13
#define PLATFORM_REGISTER 0x17

struct probe_operations {
    void (*begin)(void);
    void (*protection_fault_entry)(void);
};

static struct probe_operations *volatile active_operations;
static struct probe_operations platform_operations;

void failure_null_trap(void (**handlers)(void)) {
    if (command_line_is("fail", "null-trap")) {
        active_operations = &platform_operations;
        handlers[PROTECTION_FAULT] = active_operations->protection_fault_entry;
    }
}

/* RDMSR is not for CPL 3: it faults whether the register exists or not. */
[[gnu::noinline]] static u64 read_register(u32 number) {
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (u64)high << 32 | low;
}

void failure_null_trap_probe(void) {
    if (command_line_is("fail", "null-trap")) {
        read_register(PLATFORM_REGISTER);
    }
}
