// The timer through the 8259 and through the I/O APIC, the clock through the second 8259, the
// serial port's transmitter, the local APIC's own timer.
#include "guest.h"

static volatile u32 ticks, in_service, clock_ticks, clock_flags, serial_interrupts;

static INTERRUPT timer_8259(struct frame *frame) {
    (void)frame;
    out8(0x20, 0x0B);
    in_service = in8(0x20);
    ticks++;
    out8(0x20, 0x20);
}
static INTERRUPT timer_apic(struct frame *frame) {
    (void)frame;
    ticks++;
    store32(LOCAL + 0xB0, 0);
}
static INTERRUPT clock_8259(struct frame *frame) {
    (void)frame;
    out8(0x70, 0x0C);
    clock_flags |= in8(0x71);
    clock_ticks++;
    out8(0xA0, 0x20);
    out8(0x20, 0x62);
}
static INTERRUPT serial_8259(struct frame *frame) {
    (void)frame;
    in8(0x3FA);
    serial_interrupts++;
    out8(0x20, 0x64);
}
static INTERRUPT nothing(struct frame *frame) { (void)frame; }

void reset_controllers(u8 primary_mask, u8 secondary_mask) {
    out8(0x20, 0x11); out8(0xA0, 0x11);
    out8(0x21, 0x20); out8(0xA1, 0x28);
    out8(0x21, 4); out8(0xA1, 2);
    out8(0x21, 1); out8(0xA1, 1);
    out8(0x21, primary_mask); out8(0xA1, secondary_mask);
}
void ioapic_write(u32 index, u32 value) { store32(IOAPIC, index); store32(IOAPIC + 0x10, value); }
u32 ioapic_read(u32 index) { store32(IOAPIC, index); return load32(IOAPIC + 0x10); }

static void wait(volatile u32 *counter, u32 count) {
    asm volatile("cli");
    while (*counter < count) asm volatile("sti; hlt; cli");
}

// Counter 2 in mode 0, watched through port 0x61.
void wait_ticks(u32 count) {
    out8(0x61, (in8(0x61) & 0xFC) | 1);
    out8(0x43, 0xB0);
    out8(0x42, (u8)count); out8(0x42, (u8)(count >> 8));
    while (!(in8(0x61) & 0x20)) {}
}

void test_controllers(void) {
    set_gate(0x20, timer_8259); set_gate(0x28, clock_8259); set_gate(0x24, serial_8259);
    set_gate(0x27, nothing); set_gate(0x40, timer_apic); set_gate(0x41, timer_apic);
    reset_controllers(0xFE, 0xFF);
    print("8259 masks %x %x\n", in8(0x21), in8(0xA1));
    store32(LOCAL + 0xF0, 0x1FF);
    store32(LOCAL + 0x350, 0x700);
    out8(0x43, 0x34); out8(0x40, 0x9C); out8(0x40, 0x2E);
    wait(&ticks, 5);
    print("timer through the 8259, in service %x\n", in_service);
    out8(0x21, 0xFF);
    print("local APIC version %x\n", load32(LOCAL + 0x30) & 0xFF);
    print("I/O APIC version %x\n", ioapic_read(1));
    ticks = 0;
    ioapic_write(0x15, 0); ioapic_write(0x14, 0x40);
    wait(&ticks, 5);
    print("timer through the I/O APIC, entry %x\n", ioapic_read(0x14));
    ioapic_write(0x14, 0x10040);
    ticks = 0;
    store32(LOCAL + 0x3E0, 0xB); store32(LOCAL + 0x320, 0x41); store32(LOCAL + 0x380, 100000);
    wait(&ticks, 1);
    print("local timer, count left %d\n", load32(LOCAL + 0x390));
    store32(LOCAL + 0x320, 0x10041);
}

void test_clocks(void) {
    out8(0x43, 0xB0);
    out8(0x43, 0xE8);
    // QEMU models neither the null count (bit 6) nor that a control word of mode 0 makes OUT low.
    print("counter 2 status %x", in8(0x42) & 0x3F);
    wait_ticks(2000);
    out8(0x43, 0xE8);
    print(", then %x\n", in8(0x42));
    out8(0x21, 0xFB); out8(0xA1, 0xFE);
    out8(0x70, 0x0A); out8(0x71, 0x26);
    out8(0x70, 0x0B);
    u8 control = in8(0x71);
    out8(0x70, 0x0B); out8(0x71, control | 0x40);
    out8(0x70, 0x0C); in8(0x71);
    wait(&clock_ticks, 4);
    out8(0x70, 0x0B); out8(0x71, control & ~0x40);
    print("clock through both 8259s, flags %x\n", clock_flags & 0xC0);
    out8(0x21, 0xFF); out8(0xA1, 0xFF);
    out8(0x70, 0x0D);
    print("clock valid %x\n", in8(0x71));
    // 2099-12-31 23:59:58, then two seconds and a bit.
    static const u8 set[][2] = {{0, 0x58}, {2, 0x59}, {4, 0x23}, {7, 0x31}, {8, 0x12}, {9, 0x99},
        {0x32, 0x20}};
    out8(0x70, 0x0B); out8(0x71, 0x82);
    for (u32 n = 0; n < 7; n++) { out8(0x70, set[n][0]); out8(0x71, set[n][1]); }
    out8(0x70, 0x0B); out8(0x71, 0x02);
    for (int n = 0; n < 60; n++) wait_ticks(50000);
    out8(0x70, 9);
    u8 year = in8(0x71);
    out8(0x70, 8);
    u8 month = in8(0x71);
    out8(0x70, 7);
    print("after the turn of the century: year %x month %x day %x\n", year, month, in8(0x71));
}

void test_serial(void) {
    while ((in8(0x3FD) & 0x40) == 0) {}
    serial_interrupts = 0;
    out8(0x21, 0xEF);
    out8(0x3FA, 1);
    out8(0x3FC, 0x0B);
    out8(0x3F9, 2);
    wait(&serial_interrupts, 1);
    out8(0x3F9, 0);
    out8(0x21, 0xFF);
    out8(0x3FC, 3);
    print("transmitter interrupt came, then IIR %x\n", in8(0x3FA));
    out8(0x3FB, 0x83);
    out8(0x3F8, 1); out8(0x3F9, 0);
    out8(0x3FB, 3);
    out8(0x3FF, 0x5A);
    print("scratch %x\n", in8(0x3FF));
}
