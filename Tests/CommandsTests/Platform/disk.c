// A virtio block device by its modern and its legacy interface, and what it does when a driver is
// wrong. One device in PCI slot 3 that can be written, one in slot 4 that cannot.
#include "guest.h"

struct descriptor { u64 address; u32 count; u16 flags, next; };
struct queue {
    struct descriptor table[256];
    struct { u16 flags, index, ring[256], event; } available;
    u8 pad[4096 - 6 - 2 * 256];
    struct { u16 flags, index; struct { u32 id, count; } ring[256]; u16 event; } used;
} __attribute__((aligned(4096)));
struct header { u32 type, reserved; u64 sector; };

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

static volatile struct queue queue;
static struct header header;
static u8 data[8192] __attribute__((aligned(4096)));
static volatile u8 status;
static u32 common, notify, isr, device, port, line;
static volatile u32 interrupts, causes;

static u32 pci(u32 slot, u32 at) {
    out32(0xCF8, 0x80000000u | slot << 11 | (at & 0xFC));
    return in32(0xCFC);
}
static void set_pci(u32 slot, u32 at, u32 value) {
    out32(0xCF8, 0x80000000u | slot << 11 | at);
    out32(0xCFC, value);
}
static u8 load8(u32 at) { return *(volatile u8 *)at; }
static void store8(u32 at, u8 value) { *(volatile u8 *)at = value; }
static void store16(u32 at, u16 value) { *(volatile u16 *)at = value; }
static u16 load16(u32 at) { return *(volatile u16 *)at; }

static INTERRUPT interrupted(struct frame *frame) {
    (void)frame;
    causes |= load8(isr);
    interrupts++;
    if (line >= 8) out8(0xA0, 0x20);
    out8(0x20, 0x20);
}

// The second 8259 has taken its request back between its line to the first and the acknowledgement:
// 15, with nothing in service (Intel 231468, "default IR7"). Only the first wants an end.
static INTERRUPT spurious(struct frame *frame) {
    (void)frame;
    out8(0x20, 0x20);
}

// Finds the registers, and says what there is.
static void find(u32 slot) {
    print("device %x, class %x, subsystem %x, pin %d\n", pci(slot, 0), pci(slot, 8) >> 8,
        pci(slot, 0x2C), pci(slot, 0x3C) >> 8 & 0xFF);
    set_pci(slot, 4, 7);
    u32 found = 0, messages = 0;
    for (u32 at = pci(slot, 0x34) & 0xFC; at; at = pci(slot, at) >> 8 & 0xFC) {
        u32 first = pci(slot, at);
        if ((first & 0xFF) == 0x11) messages = 1;
        if ((first & 0xFF) != 9) continue;
        u32 type = first >> 24, bar = pci(slot, at + 4) & 0xFF;
        u32 place = (pci(slot, 0x10 + 4 * bar) & ~15u) + pci(slot, at + 8);
        found |= 1 << type;
        if (type == 1) common = place;
        if (type == 2) notify = place;
        if (type == 3) isr = place;
        if (type == 4) device = place;
    }
    port = pci(slot, 0x10) & ~3u;
    line = pci(slot, 0x3C) & 0xFF;
    print("structures %x, messages %d, ports %d\n", found & 0x3E, messages,
        pci(slot, 0x10) & 1);
}

static void clear(void) {
    for (u32 n = 0; n < sizeof queue; n += 4) store32((u32)&queue + n, 0);
}

static void setup_ring(u32 event) {
    clear();
    store8(common + 0x14, 0);
    while (load8(common + 0x14)) {}
    store8(common + 0x14, 1);
    store8(common + 0x14, 3);
    store32(common + 0x08, 0);
    store32(common + 0x0C, 1u << 28 | event);
    store32(common + 0x08, 1);
    store32(common + 0x0C, 1);
    store8(common + 0x14, 11);
    store16(common + 0x16, 0);
    store16(common + 0x18, 256);
    store32(common + 0x20, (u32)queue.table); store32(common + 0x24, 0);
    store32(common + 0x28, (u32)&queue.available); store32(common + 0x2C, 0);
    store32(common + 0x30, (u32)&queue.used); store32(common + 0x34, 0);
    store16(common + 0x1C, 1);
    store8(common + 0x14, 15);
}

static void describe(u32 n, void *at, u32 count, u16 flags, u16 next) {
    queue.table[n].address = (u32)at;
    queue.table[n].count = count;
    queue.table[n].flags = flags;
    queue.table[n].next = next;
}

static void offer(u16 head) {
    queue.available.ring[queue.available.index & 255] = head;
    asm volatile("" ::: "memory");
    queue.available.index++;
    asm volatile("mfence" ::: "memory");
    store16(notify, 0);
}

static u32 wait_used(u16 before) {
    for (u32 n = 0; n < 1000; n++) {
        if (queue.used.index != before) return 1;
        wait_ticks(1193);
    }
    return 0;
}

static void make(u32 type, u32 sector, u32 count, int writes) {
    header.type = type;
    header.sector = sector;
    status = 0xEE;
    describe(0, &header, 16, NEXT, count ? 1 : 2);
    describe(1, data, count, (u16)(NEXT | (writes ? WRITE : 0)), 2);
    describe(2, (void *)&status, 1, WRITE, 0);
}

static u32 request(u32 type, u32 sector, u32 count, int writes) {
    make(type, sector, count, writes);
    u16 before = queue.used.index;
    offer(0);
    if (!wait_used(before)) return 0x100;
    return status;
}

static u32 sum(u32 count) {
    u32 total = 0;
    for (u32 n = 0; n < count; n++) total = total * 31 + data[n];
    return total;
}

static void test_requests(void) {
    print("capacity %d, block size %d, segments %d\n", load32(device), load32(device + 20),
        load32(device + 12));
    print("read %d", request(0, 1, 1024, 1));
    print(", sum %x\n", sum(1024));
    print("read at the end %d", request(0, load32(device) - 1, 512, 1));
    print(", beyond %d", request(0, load32(device), 512, 1));
    print(", across %d\n", request(0, load32(device) - 1, 1024, 1));
    for (u32 n = 0; n < 1536; n++) data[n] = (u8)(n * 7);
    print("write %d, flush %d", request(1, 5, 1536, 0), request(4, 0, 0, 0));
    for (u32 n = 0; n < 4096; n++) data[n] = 0;
    print(", read %d", request(0, 3, 4096, 1));
    print(", sum %x\n", sum(4096));
    for (u32 n = 0; n < 20; n++) data[n] = 0;
    print("identify %d %s\n", request(8, 0, 20, 1), (const char *)data);
    print("unknown type %d\n", request(77, 0, 0, 0));
    u32 range[4] = {6, 0, 1, 0};
    for (u32 n = 0; n < 16; n++) data[n] = ((u8 *)range)[n];
    print("zeros %d", request(13, 0, 16, 0));
    print(", read %d", request(0, 3, 4096, 1));
    print(", sum %x\n", sum(4096));
}

static void test_interrupts(void) {
    set_gate(0x20 + (int)line, interrupted);
    set_gate(0x2F, spurious);
    // What was polled has left its cause, and the line high.
    load8(isr);
    reset_controllers(
        (u8)(line < 8 ? ~(1 << line) : ~4), (u8)(line < 8 ? 0xFF : ~(1 << (line - 8))));
    interrupts = causes = 0;
    u16 before = queue.used.index;
    make(0, 0, 512, 1);
    asm volatile("cli");
    offer(0);
    while (!interrupts) asm volatile("sti; hlt; cli");
    print("interrupts %d, cause %x, used %d\n", interrupts, causes,
        (u16)(queue.used.index - before));
    queue.available.flags = 1;
    asm volatile("sti");
    print("without interrupts %d", request(0, 0, 512, 1));
    asm volatile("cli");
    print(", still %d\n", interrupts);
    reset_controllers(0xFF, 0xFF);
}

// Each of these ends with a device that needs a reset, and works again after it.
static void test_faults(void) {
    for (int n = 0; n < 7; n++) {
        setup_ring(0);
        make(0, 1, 512, 1);
        u16 head = 0;
        switch (n) {
        case 0: describe(2, (void *)&status, 1, NEXT | WRITE, 1); break;
        case 1: head = 256; break;
        case 2: describe(0, &header, 16, NEXT, 300); break;
        case 3: describe(0, &header, 16, 0, 0); break;
        case 4: describe(0, data, 16, INDIRECT | NEXT, 1); break;
        case 5: describe(0, data, 24, INDIRECT, 0); break;
        case 6: queue.available.index = 300; break;
        }
        offer(head);
        for (u32 i = 0; i < 100 && !(load8(common + 0x14) & 0x40); i++) wait_ticks(1193);
        print("fault %d: status %x, used %d", n, load8(common + 0x14), queue.used.index);
        setup_ring(0);
        print(", after a reset %d\n", request(0, 1, 512, 1));
    }
}

static void test_event_index(void) {
    setup_ring(1u << 29);
    print("event index: read %d, wanted after %d\n", request(0, 1, 512, 1), queue.used.event);
    print("again %d, wanted after %d\n", request(0, 1, 512, 1), queue.used.event);
}

static void test_legacy(void) {
    out8((u16)(port + 18), 0);
    out8((u16)(port + 18), 3);
    out32((u16)(port + 4), 0);
    out16((u16)(port + 14), 0);
    clear();
    print("legacy: queue of %d, capacity %d\n", in16((u16)(port + 12)), in32((u16)(port + 20)));
    out32((u16)(port + 8), (u32)&queue >> 12);
    out8((u16)(port + 18), 7);
    make(0, 1, 512, 1);
    queue.available.ring[0] = 0;
    queue.available.index = 1;
    out16((u16)(port + 16), 0);
    u32 done = wait_used(0);
    print("done %d, status %d, sum %x", done, status, sum(512));
    u8 cause = in8((u16)(port + 19));
    print(", cause %x, then %x\n", cause, in8((u16)(port + 19)));
    out8((u16)(port + 18), 0);
}

void test_disk(void) {
    find(3);
    setup_ring(0);
    print("status %x, features kept %x\n", load8(common + 0x14),
        (store32(common + 8, 0), load32(common + 12)));
    test_requests();
    test_interrupts();
    test_faults();
    test_event_index();
    test_legacy();
    find(4);
    setup_ring(0);
    store32(common, 0);
    print("features %x, capacity %d\n", load32(common + 4) & 0x30000264,
        load32(device));
    print("write %d", request(1, 0, 512, 0));
    print(", read %d", request(0, 0, 512, 1));
    print(", sum %x\n", sum(512));
    print("queues %d, vector %x\n", load16(common + 0x12), load16(common + 0x10));
}
