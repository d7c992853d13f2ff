/* SYSCALL's registers and the per-processor data that GS finds. */
#include "bench.h"

struct processor {
    u64 kernel_rsp;
    u64 user_rsp;
    u64 calls;
};
_Static_assert(__builtin_offsetof(struct processor, calls) == PROCESSOR_CALLS, "layout.h");

static struct processor processor;
[[gnu::aligned(16)]] static u8 system_call_stack[4096];

void system_call_entry(void);

void user_mode_init(void) {
    processor.kernel_rsp = (u64)(system_call_stack + sizeof(system_call_stack));
    write_msr(MSR_GS_BASE, 0);
    write_msr(MSR_KERNEL_GS_BASE, (u64)&processor);
    /* SYSCALL to KERNEL_CS and the next; SYSRET counts from the 32-bit user code's 0x23. */
    write_msr(MSR_STAR, 0x23ul << 48 | (u64)KERNEL_CS << 32);
    write_msr(MSR_LSTAR, (u64)system_call_entry);
    write_msr(MSR_SFMASK, 0x47700);
}
