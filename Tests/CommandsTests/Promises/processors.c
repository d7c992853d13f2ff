// Several processors: clocks that never run backwards from one to another, MONITOR and MWAIT across
// them, and NMIs in the shadow of STI.
#include "kernel.h"

extern u8 trampoline[], trampoline_end[];
static volatile u32 started, stage, ready, lock_word;
static volatile u64 last_time, warps, reads;
static volatile u32 words[64] __attribute__((aligned(64)));
static volatile u32 sleeping, woken, interrupts, nmis, in_shadow, count;
// Two lines of their own: what is waited for, and a neighbour.
static volatile u32 lines[32] __attribute__((aligned(64)));
#define line_flag lines[0]
struct frame { u64 rip, cs, flags, rsp, ss; };
extern u8 shadow_of_sti[];

static INTERRUPT wake_up(struct frame *f) { (void)f; interrupts++; store32(LOCAL + 0xB0, 0); }
static INTERRUPT nmi(struct frame *f) {
    nmis++;
    if (f->rip == (u64)shadow_of_sti) in_shadow++;
}

static void acquire(void) {
    while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE)) asm volatile("pause");
}
static void release(void) { __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE); }
static u32 wait_for(volatile u32 *word, u32 value) {
    for (u64 from = time_stamp(); *word != value;)
        if (time_stamp() - from > 2000000000ull) return 0;
    return 1;
}

// Every clock of the board, in cycles as near as it can be told; each must only go forward.
static void read_clocks(u32 turns) {
    for (u32 n = 0; n < turns; n++) {
        acquire();
        u64 now = time_stamp();
        if (now < last_time) warps++;
        last_time = now;
        reads++;
        release();
        for (u32 k = 0; k < (n * 7 & 31); k++) asm volatile("" ::: "memory");
    }
}
static volatile u32 last_tick;
static void read_timer(u32 turns) {
    for (u32 n = 0; n < turns; n++) {
        acquire();
        // The power-management timer has 24 bits.
        u32 now = in32(0x608);
        if ((now - last_tick & 0xFFFFFF) > 0x800000) warps++;
        last_tick = now;
        release();
        for (u32 k = 0; k < (n * 5 & 15); k++) asm volatile("" ::: "memory");
    }
}

static inline void monitor(volatile void *at) {
    asm volatile("monitor" ::"a"(at), "c"(0), "d"(0) : "memory");
}
static inline void wait(u32 extensions) {
    asm volatile("mwait" ::"a"(0), "c"(extensions) : "memory");
}

static void sleep_for_store(void) {
    while (!line_flag) {
        monitor(&line_flag);
        if (line_flag) break;
        sleeping = 1;
        wait(0);
        woken++;
    }
}

void application_main(void) {
    u32 me = identify(1, 0).word[EBX] >> 24;
    store32(LOCAL + 0xF0, 0x1FF);
    __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
    for (u32 done = 0;;) {
        while (stage == done) asm volatile("pause");
        done = stage;
        if (done == 1) read_clocks(3000);
        if (done == 2) read_timer(1000);
        if (done == 3 && me == 1) sleep_for_store();
        if (done == 4 && me == 1) {
            // Interrupts are off: extension 0 lets one end the wait all the same.
            monitor(&line_flag);
            sleeping = 1;
            wait(1);
            woken++;
            asm volatile("sti; nop; cli");
        }
        if (done == 5 && me == 1)
            for (count = 0; stage == 5; count++)
                asm volatile(".global shadow_of_sti\n sti\nshadow_of_sti: nop; nop; cli");
        if (done == 6 && me == 1) {
            // A store by the processor itself before it waits counts as one.
            monitor(&line_flag);
            line_flag = 0;
            wait(0);
            woken++;
        }
        __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    }
}

static void begin(u32 number) {
    ready = 0;
    stage = number;
}
static void finish(void) {
    check(wait_for(&ready, started), "a processor hangs in part %d", stage);
}

static void test_monitor(void) {
    u32 before = woken;
    sleeping = line_flag = 0;
    begin(3);
    wait_for(&sleeping, 1);
    // It sleeps: nothing but a store to the line, or an interrupt, may end that.
    for (u64 from = time_stamp(); time_stamp() - from < 200000;) words[0]++;
    check(woken == before, "MWAIT ends without a cause");
    lines[16] = 1;
    for (u64 from = time_stamp(); time_stamp() - from < 20000;) words[0]++;
    check(woken == before, "MWAIT ends by a store beside the line");
    line_flag = 1;
    finish();
    check(woken == before + 1, "MWAIT ends by a store: %d", woken - before);

    before = woken;
    sleeping = 0;
    begin(4);
    wait_for(&sleeping, 1);
    for (u64 from = time_stamp(); time_stamp() - from < 20000;) words[0]++;
    store32(LOCAL + 0x310, 1 << 24);
    store32(LOCAL + 0x300, 0x4050);
    finish();
    check(woken == before + 1 && interrupts == 1, "MWAIT ends by a masked interrupt: %d, %d",
        woken - before, interrupts);
    before = woken;
    begin(6);
    finish();
    check(woken == before + 1, "MWAIT after a store of its own");
}

void test_processors(void) {
    set_gate(0x50, wake_up);
    set_gate(2, nmi);
    for (u8 *from = trampoline, *to = (u8 *)0x8000; from < trampoline_end;) *to++ = *from++;
    store32(LOCAL + 0x300, 0xC4500);
    store32(LOCAL + 0x300, 0xC4608);
    for (u64 from = time_stamp(); time_stamp() - from < 1000000;) asm volatile("pause");
    processors = (int)started + 1;
    if (!started) return;
    begin(1);
    read_clocks(3000);
    finish();
    check(warps == 0 && reads == 3000 * (u64)processors,
        "the TSC runs backwards: %d times in %d reads", (u32)warps, (u32)reads);
    last_tick = in32(0x608);
    begin(2);
    read_timer(1000);
    finish();
    check(warps == 0, "the power-management timer runs backwards: %d times", (u32)warps);
    if (promises(1, 0, ECX, 3)) test_monitor();
    begin(5);
    for (u32 n = 0; n < 500; n++) {
        u32 old = nmis;
        store32(LOCAL + 0x310, 1 << 24);
        store32(LOCAL + 0x300, 0x4400);
        if (!wait_for(&nmis, old + 1)) break;
    }
    check(nmis == 500 && in_shadow == 0, "NMIs: %d, in the shadow of STI: %d", nmis, in_shadow);
    begin(7);
    finish();
}
