/* The serial port as a console, and the end of the run. */
#include "bench.h"

#define SERIAL 0x3f8
#define SERIAL_STATUS (SERIAL + 5)
#define TRANSMITTER_EMPTY 0x20
#define DEBUG_EXIT 0xf4

static void put(char byte) {
    while ((in_byte(SERIAL_STATUS) & TRANSMITTER_EMPTY) == 0) {
    }
    out_byte(SERIAL, (u8)byte);
}

void print(const char *text) {
    while (*text != 0) {
        put(*text++);
    }
}

static void print_digits(u64 value, u64 base) {
    char digits[20];
    int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0) {
        put(digits[--count]);
    }
}

void print_number(u64 value) {
    print_digits(value, 10);
}

void print_hex(u64 value) {
    print("0x");
    print_digits(value, 16);
}

[[noreturn]] void leave(u8 code) {
    out_byte(DEBUG_EXIT, code);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}
