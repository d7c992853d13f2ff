// The local APIC's modes, interrupt lines driven by the test device, x87 errors by line 13, and
// what STI holds off.
#include "kernel.h"

static volatile u32 edges, levels, nmis, numeric;
static volatile u64 nmi_at;
struct frame { u64 rip, cs, flags, rsp, ss; };

static void end_of_interrupt(void) {
    if (read_msr(0x1B) >> 10 & 1)
        write_msr(0x80B, 0);
    else
        store32(LOCAL + 0xB0, 0);
}
static INTERRUPT edge(struct frame *f) { (void)f; edges++; end_of_interrupt(); }
static INTERRUPT level(struct frame *f) {
    (void)f;
    // Twice: the line is still high at the first end of interrupt.
    if (++levels == 2) out8(0x200E, 0);
    end_of_interrupt();
}
static INTERRUPT nmi(struct frame *f) { nmis++; nmi_at = f->rip; }
static INTERRUPT numeric_error(struct frame *f) {
    (void)f;
    numeric++;
    out8(0xF0, 0);
    // FERR# is latched no more and IGNNE# is up: a waiting instruction goes through.
    asm volatile("fwait; fnclex");
    out8(0xA0, 0x20);
    out8(0x20, 0x20);
}

static u32 ioapic_read(u32 n) { store32(IOAPIC, n); return load32(IOAPIC + 0x10); }
static void ioapic_write(u32 n, u32 v) { store32(IOAPIC, n); store32(IOAPIC + 0x10, v); }

static u32 set_base(u64 value) {
    static const u8 write[] = {0x0F, 0x30};
    return attempt(write, 2,
        (struct registers){(u32)value, 0x1B, (u32)(value >> 32), 0, 0});
}

void test_local_apic(void) {
    enum { ON = 1 << 11, X2 = 1 << 10 };
    u64 base = read_msr(0x1B), off = base & ~(u64)(ON | X2);
    u32 version = load32(LOCAL + 0x30), id = identify(1, 0).word[EBX] >> 24;
    store32(LOCAL + 0x20, (id + 5) << 24);
    check(load32(LOCAL + 0x20) >> 24 == id + 5, "the xAPIC's ID can be written");
    check(set_base(off | X2) == GP, "to the invalid state");
    check(set_base(base | X2) == NONE, "to x2APIC mode");
    check(read_msr(0x802) == identify(0xB, 0).word[EDX], "the x2APIC's ID is the processor's");
    check(read_msr(0x80D) == ((id >> 4) << 16 | 1u << (id & 15)), "the logical ID follows");
    check(load32(LOCAL + 0x30) == ~0u, "no registers in memory in x2APIC mode");
    check(set_base(base) == GP, "from x2APIC to xAPIC mode");
    check(set_base(off) == NONE, "off");
    check(!promises(1, 0, EDX, 9), "CPUID.APIC while it is off");
    check(load32(LOCAL + 0x30) == ~0u, "no registers in memory while it is off");
    check(set_base(off | X2 | ON) == GP, "from off to x2APIC mode");
    check(set_base(base | 1ull << (identify(0x80000008, 0).word[EAX] & 0xFF)) == GP,
        "an address beyond the physical");
    check(set_base(base | 1) == GP, "a reserved bit");
    check(set_base((base & 0xFFF) | 0xFED40000) == NONE, "somewhere else");
    check(load32(0xFED40030) == version, "its registers are there");
    check(load32(0xFED40020) >> 24 == id, "switched off and on it has its own ID again");
    check(set_base(base) == NONE, "back");
    check(promises(1, 0, EDX, 9), "CPUID.APIC comes back");
    store32(LOCAL + 0xF0, 0x1FF);
}

void test_lines(void) {
    u32 id = ioapic_read(0), version = ioapic_read(1);
    ioapic_write(0, ~id);
    check((ioapic_read(0) ^ id) == 0x0F000000, "the I/O APIC's ID has four bits");
    check(ioapic_read(2) == ioapic_read(0), "arbitration follows the ID");
    ioapic_write(0, id);
    ioapic_write(1, ~version);
    check(ioapic_read(1) == version, "the I/O APIC's version is read-only");
    set_gate(0x76, edge);
    set_gate(0x77, level);
    ioapic_write(0x2D, 0);
    ioapic_write(0x2C, 0x76);
    asm volatile("sti");
    out8(0x200E, 1);
    out8(0x200E, 0);
    asm volatile("nop");
    check(edges == 1, "an edge on pin 14 interrupts: %d", edges);
    ioapic_write(0x2C, 0x10076);
    out8(0x200E, 1);
    out8(0x200E, 0);
    ioapic_write(0x2C, 0x76);
    asm volatile("nop");
    check(edges == 1, "a masked edge is lost: %d", edges);
    ioapic_write(0x2C, 0x8077);
    out8(0x200E, 1);
    asm volatile("nop; nop");
    check(levels == 2, "a level interrupts until it is low: %d", levels);
    check(!(ioapic_read(0x2C) >> 14 & 1), "remote IRR is clear");
    ioapic_write(0x2C, 0x10000);
    // A pin beyond the ISA lines.
    ioapic_write(0x3B, 0);
    ioapic_write(0x3A, 0x76);
    out8(0x2015, 1);
    out8(0x2015, 0);
    asm volatile("nop; cli");
    check(edges == 2, "an edge on pin 21 interrupts: %d", edges);
    ioapic_write(0x3A, 0x10000);
    // The test device's register and memory.
    out32(0xE0, 0x12345678);
    check(in8(0xE1) == 0x56 && in32(0xE0) == 0x12345678, "the test device's register");
    out8(0xE8, 0x9A);
    check(in32(0xE0) == 0x1234569A, "its bytes by port E8");
    check(in8(0xE9) == 0xE9, "the debug console answers at E9 as ever");
    store32(0xFF000FFE, 0xCAFEF00D);
    check(load32(0xFF000FFC) == 0xF00D0000 && load32(0xFF001000) == 0xCAFE, "its memory");
    check(load32(0xFF010000) == ~0u, "and no more of it");
}

// An x87 error with CR0.NE clear stops the processor until line 13 interrupts it; with NE set it is
// an exception.
void test_numeric_errors(void) {
    static const u8 divide[] = {0xDB, 0xE3, 0xD9, 0x2F, 0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0x9B};
    static const u16 control = 0x37B;       // division by zero is not masked
    struct registers r = {0, 0, 0, 0, (u64)&control};
    u64 cr0;
    check(attempt(divide, sizeof divide, r) == 16, "#MF");
    asm volatile("fninit");
    set_gate(0x2D, numeric_error);
    static const u8 words[][2] = {{0x20, 0x11}, {0xA0, 0x11}, {0x21, 0x20}, {0xA1, 0x28}, {0x21, 4},
        {0xA1, 2}, {0x21, 1}, {0xA1, 1}, {0x21, 0xFB}, {0xA1, 0xDF}};
    for (u32 n = 0; n < sizeof words / 2; n++) out8(words[n][0], words[n][1]);
    store32(LOCAL + 0x350, 0x700);
    asm volatile("mov %%cr0, %0" : "=r"(cr0));
    asm volatile("mov %0, %%cr0; sti" ::"r"(cr0 & ~0x20ull));
    for (u32 n = 1; n <= 2; n++) {
        u32 vector = attempt(divide, sizeof divide, r);
        check(vector == NONE && numeric == n, "line 13, time %d: vector %d, %d interrupts", n,
            vector, numeric);
    }
    asm volatile("cli; mov %0, %%cr0; fninit" ::"r"(cr0));
    out8(0x21, 0xFF);
    out8(0xA1, 0xFF);
    store32(LOCAL + 0x350, 0x10000);
}

void test_shadows(void) {
    set_gate(2, nmi);
    u64 at;
    // An NMI to oneself is taken at the next boundary, but not in the shadow of STI or MOV SS.
    store32(LOCAL + 0x310, 0);
    asm volatile("movl $0x4400, (%1); 1: nop; lea 1b(%%rip), %0" : "=r"(at) : "r"(LOCAL + 0x300));
    check(nmis == 1 && nmi_at == at, "an NMI comes at once: %x, not %x", nmi_at, at);
    // STI, and the store that sends the NMI is in its shadow: the boundary after it is free.
    asm volatile("sti; movl $0x4400, (%1); 1: nop; cli; lea 1b(%%rip), %0"
        : "=r"(at) : "r"(LOCAL + 0x300));
    check(nmis == 2 && nmi_at == at, "an NMI after STI's shadow: %x, not %x", nmi_at, at);
}
