/* An ordinary host process: it computes, and makes the host system calls whose cost under the
 * RFC's design (a NULL test each) is to be measured. It keeps its count in thread-local storage, at
 * FS, so that a base that is lost across a guest's run shows in its result, which depends on
 * nothing but its arguments. */
#include "calls.h"
#include "program.h"

#define STEPS 64         /* of computation in a round */
#define YIELD_EVERY 8    /* rounds */
#define SLEEP_EVERY 32
#define SLEEP_NANOSECONDS 150000

static u64 step(u64 state)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^ state << 17;
}

/* The first word of the heap is thread-local. */
static u64 count_round(void)
{
    u64 count;
    __asm__ volatile("incq %%fs:0; movq %%fs:0, %0" : "=r"(count) : : "memory");
    return count;
}

static void say_number(u64 value)
{
    char digits[20];
    u64 at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    host_call(SYSCALL_WRITE, 1, (u64)(digits + at), sizeof digits - at);
}

[[noreturn]] void worker_main(void)
{
    const struct program_arguments *arguments = PROGRAM_ARGUMENTS;
    u64 state = 0x9e3779b97f4a7c15 + arguments->number;
    u64 pid = (u64)host_call(SYSCALL_GETPID, 0, 0, 0);
    u64 heap = PROGRAM_HEAP + 8;
    host_call(SYSCALL_ARCH_PRCTL, ARCH_SET_FS, PROGRAM_HEAP, 0);
    for (u64 round = 0; round < arguments->rounds; round++) {
        for (int i = 0; i < STEPS; i++)
            state = step(state);
        if ((u64)host_call(SYSCALL_GETPID, 0, 0, 0) != pid)
            leave(1);
        /* The heap is paged on demand: a new page every few rounds, then the same ones again. */
        volatile u64 *word = (volatile u64 *)heap;
        *word += state;
        state ^= *word >> 7;
        heap += 1024;
        if (heap >= PROGRAM_HEAP_END)
            heap = PROGRAM_HEAP + 8;
        state += count_round();
        if (round % YIELD_EVERY == YIELD_EVERY - 1)
            host_call(SYSCALL_SCHED_YIELD, 0, 0, 0);
        if (round % SLEEP_EVERY == SLEEP_EVERY - 1)
            host_call(SYSCALL_NANOSLEEP, SLEEP_NANOSECONDS, 0, 0);
    }
    say_number(arguments->rounds);
    say(" rounds, result ");
    say_number(state);
    say("\n");
    leave(0);
}
