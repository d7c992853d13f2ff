/* Phase 4: processes that sleep and processes that compute without ever giving the processor up.
 * The sleepers finish because the tick takes it from the others. */
#include "program.h"

#define SLEEPERS 3
#define SPINNERS 2
#define NAP 250000ul               /* nanoseconds, as timer.c counts them */
#define SPINS_PER_WORK 5000ul

static u64 nap(u64 work, u64 length) {
    u64 checksum = 0;
    for (u64 i = 0; i < work / 2; i++) {
        program_sleep(length);
        checksum = mix(checksum, i);
    }
    return checksum & 0xffffffff;
}

/* Counts the steps of Collatz sequences: a loop the compiler cannot shorten. */
static u64 spin(u64 seed, u64 steps) {
    u64 checksum = seed, value = seed + 27;
    for (u64 i = 0; i < steps; i++) {
        value = (value & 1) != 0 ? value * 3 + 1 : value >> 1;
        if (value <= 1) {
            value = ++seed * 2 + 27;
        }
        checksum += value;
    }
    return checksum & 0xffffffff;
}

void phase_sleep(u64 work) {
    s64 ids[SLEEPERS + SPINNERS];
    for (u64 i = 0; i < SLEEPERS + SPINNERS; i++) {
        ids[i] = program_fork(i < SLEEPERS ? "sleeper" : "spinner");
        if (ids[i] == 0) {
            program_exit((s64)(i < SLEEPERS ? nap(work, (i + 1) * NAP)
                                            : spin(i, work * SPINS_PER_WORK)));
        }
    }
    for (u64 i = 0; i < SLEEPERS + SPINNERS; i++) {
        struct output output;
        output.count = 0;
        output_text(&output, i < SLEEPERS ? "sleep: sleeper " : "sleep: spinner ");
        output_number(&output, (u64)ids[i]);
        output_text(&output, " checksum ");
        output_hex(&output, (u64)program_wait(ids[i]));
        output_end_line(&output);
    }
}
