// The event timers: their counter, one-shot and periodic, in place of the 8254 and the clock and by
// the I/O APIC, edge and level.
#include "guest.h"

#define HPET 0xFED00000u
enum { LEVEL = 2, ENABLE = 4, PERIODIC = 8, SET = 0x40, BITS32 = 0x100, PIN2 = 2 << 9 };
static volatile u32 ticks, clock_ticks, pins, statuses;

static u32 timer(u32 n, u32 at) { return HPET + 0x100 + 0x20 * n + at; }
static void control(u32 value) { store32(HPET + 0x10, value); }

static INTERRUPT on_line_0(struct frame *frame) { (void)frame; ticks++; out8(0x20, 0x20); }
static INTERRUPT on_line_8(struct frame *frame) {
    (void)frame;
    clock_ticks++;
    out8(0xA0, 0x20);
    out8(0x20, 0x62);
}
static INTERRUPT on_pin(struct frame *frame) {
    (void)frame;
    pins++;
    u32 status = load32(HPET + 0x20);
    statuses |= status;
    store32(HPET + 0x20, status);
    store32(LOCAL + 0xB0, 0);
}

static void wait(volatile u32 *counter, u32 count) {
    asm volatile("cli");
    while (*counter < count) asm volatile("sti; hlt; cli");
}

static void test_counter(void) {
    print("event timers %x, period %x\n", load32(HPET), load32(HPET + 4));
    for (u32 n = 0; n < 3; n++)
        print("timer %d: %x %x, compares %x:%x\n", n, load32(timer(n, 0)), load32(timer(n, 4)),
            load32(timer(n, 12)), load32(timer(n, 8)));
    print("control %x, status %x, counter %x:%x\n", load32(HPET + 0x10), load32(HPET + 0x20),
        load32(HPET + 0xF4), load32(HPET + 0xF0));
    store32(HPET + 0xF0, 0xFFFFFF00);
    store32(HPET + 0xF4, 5);
    print("set %x:%x", load32(HPET + 0xF4), load32(HPET + 0xF0));
    wait_ticks(1193);
    print(", halted %x", load32(HPET + 0xF0));
    control(1);
    wait_ticks(11932);
    control(0);
    u32 passed = load32(HPET + 0xF0) + 0x100;
    print(", carried %x, 100 MHz %d\n", load32(HPET + 0xF4), passed > 900000 && passed < 9000000);
    store32(timer(1, 8), 0x12345678);
    store32(timer(1, 12), 0x9ABCDEF0);
    print("comparator %x:%x", load32(timer(1, 12)), load32(timer(1, 8)));
    store32(timer(1, 0), BITS32 | PIN2);
    print(", control %x, 32 bits %x:%x\n", load32(timer(1, 0)), load32(timer(1, 12)),
        load32(timer(1, 8)));
    store32(timer(1, 0), 0);
}

// Timer 0 has line 0 of the 8259s, timer 1 line 8.
static void test_replacement(void) {
    set_gate(0x20, on_line_0); set_gate(0x28, on_line_8);
    reset_controllers(0xFA, 0xFE);
    store32(HPET + 0xF0, 0); store32(HPET + 0xF4, 0);
    store32(timer(0, 0), ENABLE | PERIODIC | SET | BITS32);
    store32(timer(0, 8), 200000);
    store32(timer(0, 8), 100000);
    store32(timer(1, 0), ENABLE | PERIODIC | SET | BITS32);
    store32(timer(1, 8), 250000);
    // The 8254 keeps quiet from here on.
    ticks = 0;
    control(3);
    wait(&ticks, 5);
    store32(timer(0, 0), PERIODIC | BITS32);
    u32 next = load32(timer(0, 8));
    print("line 0 by timer 0: first and period %d", next >= 700000 && next % 100000 == 0);
    wait(&clock_ticks, 3);
    store32(timer(1, 0), PERIODIC | BITS32);
    next = load32(timer(1, 8));
    print(", line 8 by timer 1: %d", next >= 1000000 && next % 250000 == 0);
    u32 before = ticks;
    out8(0x43, 0x34); out8(0x40, 0x9C); out8(0x40, 0x2E);
    asm volatile("sti");
    for (int n = 0; n < 5; n++) wait_ticks(11932);
    asm volatile("cli");
    print(", the 8254 is not heard %d", ticks - before);
    control(1);
    wait(&ticks, before + 2);
    print(", and is again\n");
    reset_controllers(0xFF, 0xFF);
}

static void test_pin(void) {
    set_gate(0x42, on_pin);
    control(0);
    // The 8254 is on this pin too: it gives its last edge, and goes low.
    out8(0x43, 0x30);
    ioapic_write(0x15, 0);
    ioapic_write(0x14, 0x42);
    pins = 0;
    out8(0x40, 0xE8); out8(0x40, 3);
    wait(&pins, 1);
    out8(0x43, 0x30);
    store32(timer(2, 0), ENABLE | PIN2);
    store32(HPET + 0xF0, 0); store32(HPET + 0xF4, 0);
    store32(timer(2, 8), 300000); store32(timer(2, 12), 0);
    pins = 0;
    control(1);
    wait(&pins, 1);
    asm volatile("sti");
    wait_ticks(11932);
    asm volatile("cli");
    print("one edge by pin 2: %d, status %x, counter is past it %d\n", pins, statuses,
        load32(HPET + 0xF0) >= 300000);
    ioapic_write(0x14, 0x8042);
    pins = 0;
    store32(timer(2, 0), ENABLE | PIN2 | LEVEL | PERIODIC | SET | BITS32);
    store32(timer(2, 8), load32(HPET + 0xF0) + 200000);
    store32(timer(2, 8), 200000);
    wait(&pins, 4);
    store32(timer(2, 0), 0);
    ioapic_write(0x14, 0x10042);
    print("levels by pin 2, status %x, then %x\n", statuses, load32(HPET + 0x20));
    // Left as they were: compare with nothing, halted.
    for (u32 n = 0; n < 3; n++) {
        store32(timer(n, 0), 0);
        store32(timer(n, 8), ~0u); store32(timer(n, 12), ~0u);
    }
    control(0);
}

void test_event_timers(void) {
    test_counter();
    test_replacement();
    test_pin();
}
