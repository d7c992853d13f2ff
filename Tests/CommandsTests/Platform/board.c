// Ports of the board, ACPI tables, the other processors.
#include "guest.h"

static u8 cmos(u8 at) { out8(0x70, at); return in8(0x71); }
static u32 pci(u32 address) { out32(0xCF8, 0x80000000u | address); return in32(0xCFC); }

void test_boards(void) {
    print("CMOS base %x extended %x\n", cmos(0x15) | cmos(0x16) << 8, cmos(0x30) | cmos(0x31) << 8);
    print("CMOS above 16 MiB %x\n", cmos(0x34) | cmos(0x35) << 8);
    print("PCI 0:0.0 %x class %x\n", pci(0), pci(8) >> 8);
    print("PCI 0:1f.7 %x, no enable %x\n", pci(0xFF00), (out32(0xCF8, 0), in32(0xCFC)));
    while (in8(0x64) & 1) in8(0x60);
    out8(0x64, 0xAA);
    while (!(in8(0x64) & 1)) {}
    print("keyboard controller %x\n", in8(0x60));
    out8(0x60, 0xEE);
    while (!(in8(0x64) & 1)) {}
    print("keyboard echo %x\n", in8(0x60));
    print("A20 %d\n", in8(0x92) >> 1 & 1);
    u32 before = in32(0x608) & 0xFFFFFF;
    wait_ticks(11932);
    u32 passed = ((in32(0x608) & 0xFFFFFF) - before) & 0xFFFFFF;
    print("PM timer runs %d\n", passed > 30000 && passed < 200000);
}

static int sums(u32 at, u32 size) {
    u8 sum = 0;
    for (u32 n = 0; n < size; n++) sum += *(const u8 *)(at + n);
    return sum == 0;
}
static int is(u32 at, const char *text) {
    while (*text) if (*(const char *)at++ != *text++) return 0;
    return 1;
}

static void print_interrupts(u32 table) {
    u32 processors = 0;
    for (u32 at = table + 44, end = table + load32(table + 4); at < end; at += *(u8 *)(at + 1)) {
        u8 type = *(u8 *)at;
        if (type == 0 && load32(at + 4) & 1) processors++;
        if (type == 1) print("I/O APIC at %x, first pin %d\n", load32(at + 4), load32(at + 8));
        if (type == 2 && *(u8 *)(at + 3) == 0) print("line 0 on pin %d\n", load32(at + 4));
    }
    print("%d processors, local APIC at %x\n", processors, load32(table + 36));
}

void test_acpi(void) {
    u32 root = 0xE0000;
    while (root < 0x100000 && !is(root, "RSD PTR ")) root += 16;
    print("RSDP found %d, sum %d\n", root < 0x100000, sums(root, 20));
    u32 list = load32(root + 16);
    print("RSDT sum %d\n", sums(list, load32(list + 4)));
    for (u32 at = list + 36; at < list + load32(list + 4); at += 4) {
        u32 table = load32(at);
        if (is(table, "APIC")) {
            print("APIC sum %d\n", sums(table, load32(table + 4)));
            print_interrupts(table);
        }
        if (is(table, "HPET"))
            print("HPET sum %d: identity %x at %x:%x, number %d\n", sums(table, load32(table + 4)),
                load32(table + 36), load32(table + 48), load32(table + 44), *(u8 *)(table + 52));
        if (!is(table, "FACP")) continue;
        u32 code = load32(table + 40);
        print("FACP sum %d: event %x control %x timer %x SCI %d\n", sums(table, load32(table + 4)),
            load32(table + 56), load32(table + 64), load32(table + 76), *(u16 *)(table + 46));
        print("DSDT sum %d\n", sums(code, load32(code + 4)));
        for (u32 n = code; n < code + load32(code + 4); n++)
            if (is(n, "_S5_\x12")) print("S5 type %d\n", *(u8 *)(n + 7));
    }
}

static volatile u32 started, ids[8];

void application_main(void) {
    u32 n = __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
    ids[n] = load32(LOCAL + 0x20) >> 24;
    __atomic_fetch_add(&ids[7], 1, __ATOMIC_SEQ_CST);
}

extern u8 trampoline[], trampoline_end[];

static void send(u32 id, u32 command) {
    store32(LOCAL + 0x310, id << 24);
    store32(LOCAL + 0x300, command);
    while (load32(LOCAL + 0x300) & 0x1000) {}
}

void test_processors(void) {
    for (u32 n = 0; n < (u32)(trampoline_end - trampoline); n++)
        ((volatile u8 *)0x8000)[n] = trampoline[n];
    for (u32 id = 1; id < 4; id++) {
        u32 before = ids[7];
        send(id, 0x4500);
        wait_ticks(11932);
        send(id, 0x4608);
        // A second message finds it running.
        wait_ticks(300);
        send(id, 0x4608);
        while (ids[7] == before) {}
        print("processor %d says %d\n", id, ids[before]);
    }
    print("%d started\n", started);
}
