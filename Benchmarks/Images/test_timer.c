/* n interrupts of the local APIC's periodic timer, the processor halted between them. */
#include "bench.h"

#define APIC_SPURIOUS ((volatile u32 *)0xfee000f0)
#define APIC_TIMER ((volatile u32 *)0xfee00320)
#define APIC_INITIAL_COUNT ((volatile u32 *)0xfee00380)
#define APIC_DIVIDE ((volatile u32 *)0xfee003e0)

#define APIC_ENABLE 0x100
#define TIMER_PERIODIC 0x20000
#define DIVIDE_BY_1 0xb
#define PERIOD 20000
#define SPURIOUS_VECTOR 63

u64 test_timer(u64 n) {
    *APIC_SPURIOUS = APIC_ENABLE | SPURIOUS_VECTOR;
    *APIC_DIVIDE = DIVIDE_BY_1;
    *APIC_TIMER = TIMER_PERIODIC | VECTOR_TIMER;
    *APIC_INITIAL_COUNT = PERIOD;
    u64 seen = 0;
    while (seen < n) {
        /* STI holds interrupts off until HLT has begun: none is lost between the two. */
        __asm__ volatile("sti; hlt; cli" : : : "memory");
        seen = timer_interrupts;
    }
    *APIC_INITIAL_COUNT = 0;
    return n;
}
