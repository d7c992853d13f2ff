// What a kernel finds on a PC, one fact a line: the same text here and under QEMU.
#include "guest.h"

struct gate { u16 low, selector, flags, high; };
static struct gate gates[256] __attribute__((aligned(8)));

void put(char c) {
    while (!(in8(0x3FD) & 0x20)) {}
    out8(0x3F8, (u8)c);
}

static void print_number(u32 value, u32 base, int width) {
    char digits[16];
    int n = 0;
    do { digits[n++] = "0123456789abcdef"[value % base]; value /= base; } while (value);
    while (n < width) digits[n++] = '0';
    while (n) put(digits[--n]);
}

void print(const char *format, ...) {
    __builtin_va_list list;
    __builtin_va_start(list, format);
    for (; *format; format++) {
        if (*format != '%') { put(*format); continue; }
        switch (*++format) {
        case 'd': print_number(__builtin_va_arg(list, u32), 10, 0); break;
        case 'x': print_number(__builtin_va_arg(list, u32), 16, 0); break;
        case 's':
            for (const char *s = __builtin_va_arg(list, const char *); *s; s++) put(*s);
            break;
        }
    }
    __builtin_va_end(list);
}

void set_gate(int vector, void *handler) {
    u32 at = (u32)handler;
    gates[vector] = (struct gate){(u16)at, 8, 0x8E00, (u16)(at >> 16)};
}

static void stop(void) {
    for (;;) asm volatile("cli; hlt");
}

static INTERRUPT unexpected(struct frame *frame) {
    (void)frame;
    print("unexpected interrupt\n");
    stop();
}

static const char *skip_word(const char *s) {
    while (*s && *s != ' ') s++;
    return *s ? s + 1 : s;
}

static void dump_multiboot(u32 magic, const u32 *info) {
    print("multiboot magic %x, flags %x\n", magic, info[0] & 0x4B);
    print("memory %d KiB low, %d KiB high\n", info[1], info[2]);
    print("command line after the name: %s\n", skip_word((const char *)info[4]));
    const u32 *modules = (const u32 *)info[6];
    for (u32 n = 0; n < info[5]; n++) {
        const u8 *byte = (const u8 *)modules[4 * n];
        u32 size = modules[4 * n + 1] - modules[4 * n], sum = 0;
        for (u32 i = 0; i < size; i++) sum = sum * 31 + byte[i];
        print("module %d: %d bytes, sum %x, page aligned %d, words: %s\n", n, size, sum,
            ((u32)byte & 4095) == 0, skip_word((const char *)modules[4 * n + 2]));
    }
    for (u32 at = info[12], end = at + info[11]; at < end; at += load32(at) + 4)
        // QEMU's map has a hole at 1 TiB too.
        if (load32(at + 8) == 0)
            print("memory %x, %x bytes, type %d\n", load32(at + 4), load32(at + 12),
                load32(at + 20));
}

static int starts(const char *text, const char *word) {
    while (*word) if (*text++ != *word++) return 0;
    return 1;
}

void main(u32 magic, const u32 *info) {
    struct { u16 limit; u32 base; } __attribute__((packed)) pointer = {
        sizeof gates - 1, (u32)gates};
    for (int n = 0; n < 256; n++) set_gate(n, unexpected);
    asm volatile("lidt %0" ::"m"(pointer));
    if (starts(skip_word((const char *)info[4]), "disk")) {
        test_disk();
        // QEMU goes on for a while before it is off.
        out16(0x604, 0x2000);
        stop();
    }
    dump_multiboot(magic, info);
    const char *words = skip_word((const char *)info[4]);
    test_controllers();
    test_clocks();
    test_serial();
    test_boards();
    test_firmware_configuration();
    test_event_timers();
    test_acpi();
    test_processors();
    print("end by %s\n", words);
    if (starts(words, "off")) out16(0x604, 0x2000);
    if (starts(words, "reset")) out8(0xCF9, 6);
    if (starts(words, "keyboard")) out8(0x64, 0xFE);
    if (starts(words, "port92")) out8(0x92, in8(0x92) | 1);
    if (starts(words, "triple")) {
        pointer.limit = 0;
        asm volatile("lidt %0; int3" ::"m"(pointer));
    }
    stop();
}
