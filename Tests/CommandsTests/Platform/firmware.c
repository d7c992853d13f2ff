// fw_cfg: the items, the files that every board has, and the DMA interface.
#include "guest.h"

enum { ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };
static struct { u32 control, length; u64 address; } request __attribute__((aligned(16)));
static u8 bytes[64];

static u32 swap(u32 value) { return __builtin_bswap32(value); }
static void choose(u16 key) { out16(0x510, key); }
static u32 number(int size) {
    u32 value = 0;
    for (int n = 0; n < size; n++) value |= (u32)in8(0x511) << 8 * n;
    return value;
}
static u32 item(u16 key) { choose(key); return number(4); }

// The key of a file, and its size; 0 where there is none.
static u16 file(const char *name, u32 *size) {
    choose(0x19);
    for (u32 left = swap(number(4)); left; left--) {
        *size = swap(number(4));
        u16 key = (u16)(swap(number(2)) >> 16);
        int same = 1, ended = 0;
        number(2);
        for (u32 n = 0; n < 56; n++) {
            char c = (char)in8(0x511);
            if (ended) continue;
            if (c != name[n]) same = 0;
            if (!c || !name[n]) ended = 1;
        }
        if (same) return key;
    }
    return 0;
}

static void begin(u32 control, u32 length, u32 address) {
    request.control = swap(control);
    request.length = swap(length);
    request.address = (u64)swap(address) << 32;
    asm volatile("" ::: "memory");
    out32(0x514, 0);
    out32(0x518, swap((u32)&request));
    while (*(volatile u32 *)&request.control & ~swap(ERROR)) {}
}
static u32 transfer(u32 control, u32 length, u32 address) {
    for (u32 n = 0; n < sizeof bytes; n++) bytes[n] = 0xEE;
    begin(control, length, address);
    return swap(*(volatile u32 *)&request.control);
}
static u32 sum(u32 count) {
    u32 total = 0;
    for (u32 n = 0; n < count; n++) total = total * 31 + ((volatile u8 *)bytes)[n];
    return total;
}

static void test_files(void) {
    u32 size = 0;
    u16 key = file("etc/system-states", &size);
    choose(key);
    u32 first = in8(0x511);
    number(4);
    print("sleep states %d, S0 %x, S5 %x\n", size, first, in8(0x511));
    key = file("etc/e820", &size);
    choose(key);
    for (u32 n = 0; n < size; n += 20) {
        u32 base = number(4), above = number(4), length = number(4), more = number(4);
        // QEMU's has the hole at 1 TiB too.
        if (!above) print("board's memory %x, %x:%x, type %d\n", base, more, length, number(4));
        else number(4);
    }
    print("boot order is there %d, another %d\n", file("bootorder", &size) != 0,
        file("etc/no-such-file", &size));
}

static void test_dma(void) {
    u32 at = (u32)bytes;
    print("DMA %x %x, bytes %x %x\n", in32(0x514), in32(0x518), in8(0x515), in8(0x51B));
    print("read %d", transfer(SELECT | READ, 6, at));
    print(" %x", sum(8));
    print(", select alone %d", transfer(3 << 16 | SELECT, 9, at));
    print(" %x, then %x", sum(8), number(4));
    print(", skip %d", transfer(3 << 16 | SELECT | SKIP, 2, at));
    print(" %x, then %x", sum(8), number(2));
    print(", read and skip %d", transfer(SELECT | READ | SKIP, 2, at));
    print(" %x\n", sum(8));
    print("write %d", transfer(SELECT | WRITE, 4, at));
    print(", of nothing %d", transfer(SELECT | WRITE, 0, at));
    print(", past the end %d", (transfer(SELECT | SKIP, 100, at), transfer(READ, 8, at)));
    print(" %x, not an item %d", sum(8), transfer(0x3777u << 16 | SELECT | READ, 4, at));
    print(" %x, where nothing is %d\n", sum(8), transfer(SELECT | READ, 4, 0xF0000000));
    // A request that is nowhere is lost; the upper half of its address is kept for one request.
    out32(0x514, swap(0x100));
    out32(0x518, swap((u32)&request));
    print("lost, then %d", transfer(SELECT | READ, 4, at));
    request.control = swap(SELECT | READ);
    out32(0x514, swap(0x100));
    out32(0x518, swap((u32)&request));
    out32(0x518, swap((u32)&request));
    print(", then %d", swap(*(volatile u32 *)&request.control));
    out16(0x518, 0);
    out8(0x518, 0);
    out32(0x516, 0);
    print(", %x\n", sum(8));
}

extern u8 start_of_kernel[] __asm__("start");

void test_firmware_configuration(void) {
    print("fw_cfg %x, interface %d, %d processors, at most %d\n", item(0), item(1), item(5),
        item(0xF));
    print("memory %x, line 0 elsewhere %d\n", item(3), item(0x8002));
    choose(0);
    print("a word %x, two %x, then %x\n", in16(0x511), in32(0x511), in8(0x511));
    print("entry is right %d, image at %x\n", item(0x10) == (u32)start_of_kernel, item(7));
    choose(0x11);
    u32 size = 0, same = 1;
    for (const u8 *at = (const u8 *)item(7); size < 64; size++) {
        choose(0x11);
        for (u32 n = 0; n < size; n++) in8(0x511);
        if (in8(0x511) != at[size]) same = 0;
    }
    print("image's bytes %d, information %x\n", same, item(0x12) & 0x4B);
    print("no command line %x, no setup %x, nothing %x\n", item(0x14), item(0x17), item(0x3FFF));
    test_files();
    test_dma();
}
