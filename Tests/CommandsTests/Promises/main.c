// Holds the processor and the board to what they promise: one line for each promise that is broken,
// and how many there were.
#include "kernel.h"

struct gate { u16 low, selector, flags, middle; u32 high, reserved; };
struct gate gates[256] __attribute__((aligned(16)));
extern u8 stubs[];
int is_amd, processors;
static u32 checks, broken;

static void put(char c) {
    while (!(in8(0x3FD) & 0x20)) {}
    out8(0x3F8, (u8)c);
}

static void print_number(u64 value, u32 base) {
    char digits[24];
    int n = 0;
    do { digits[n++] = "0123456789abcdef"[value % base]; value /= base; } while (value);
    while (n) put(digits[--n]);
}

static void print_list(const char *format, __builtin_va_list list) {
    for (; *format; format++) {
        if (*format != '%') { put(*format); continue; }
        switch (*++format) {
        case 'd': print_number(__builtin_va_arg(list, u32), 10); break;
        case 'x': print_number(__builtin_va_arg(list, u64), 16); break;
        case 's':
            for (const char *s = __builtin_va_arg(list, const char *); *s; s++) put(*s);
            break;
        }
    }
}

void print(const char *format, ...) {
    __builtin_va_list list;
    __builtin_va_start(list, format);
    print_list(format, list);
    __builtin_va_end(list);
}

void check(int holds, const char *what, ...) {
    checks++;
    if (holds) return;
    broken++;
    __builtin_va_list list;
    __builtin_va_start(list, what);
    print("broken: ");
    print_list(what, list);
    put('\n');
    __builtin_va_end(list);
}

void set_gate(int vector, void *handler) {
    u64 at = (u64)handler;
    gates[vector] = (struct gate){(u16)at, 8, 0x8E00, (u16)(at >> 16), (u32)(at >> 32), 0};
}

void unexpected(u64 vector, u64 error, u64 rip) {
    print("unexpected exception %x, error %x, at %x\n", vector, error, rip);
    out32(0xF4, 99);
    for (;;) asm volatile("cli; hlt");
}

u32 attempt(const u8 *bytes, u32 length, struct registers r) {
    static u8 code[16];
    for (u32 n = 0; n < length; n++) code[n] = bytes[n];
    code[length] = 0xC3;
    return attempt_call(code, &r);
}

int promises(u32 leaf, u32 subleaf, int word, int bit) {
    if (leaf > identify(leaf & 0x80000000u, 0).word[EAX]) return 0;
    return identify(leaf, subleaf).word[word] >> bit & 1;
}

void main(void) {
    for (int n = 0; n < 32; n++) set_gate(n, stubs + 16 * n);
    for (u16 port = 0x21; port <= 0xA1; port += 0x80) out8(port, 0xFF);
    is_amd = identify(0, 0).word[EBX] == 0x68747541;
    store32(LOCAL + 0xF0, 0x1FF);
    asm volatile("fninit");
    test_instructions();
    test_control_bits();
    test_model_specific();
    test_local_apic();
    test_lines();
    test_numeric_errors();
    test_shadows();
    test_processors();
    test_time_stamp();
    print("%d processors, %d checks, %d broken\n", processors, checks, broken);
    out32(0xF4, broken ? 1 : 0);
}
