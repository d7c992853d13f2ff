/* The virtual timer: one tick a host tick. Time is the host's count of ticks in the shared page,
 * which goes on while the guest does not run. */
#include "traps.h"

static u64 tick_nanoseconds = 1;

/* The guest counts a time-stamp cycle as a nanosecond: sleeps need only an order of magnitude. */
void timer_init(u64 host_tick_cycles) {
    if (host_tick_cycles != 0) {
        tick_nanoseconds = host_tick_cycles;
    }
}

void timer_start(void) {
    hypercall(HYPERCALL_TIMER_START, 1, 0, 0);
}

void timer_interrupt(void) {
    schedule_tick(shared->ticks);
}

/* At least the time asked for: the tick in progress does not count. */
u64 timer_ticks_of(u64 nanoseconds) {
    return nanoseconds / tick_nanoseconds + (nanoseconds % tick_nanoseconds != 0) + 1;
}
