/* The benchmark image's parts. */
#ifndef BENCH_H
#define BENCH_H
#include "layout.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

/* console.c */
void print(const char *text);
void print_number(u64 value);
void print_hex(u64 value);
[[noreturn]] void leave(u8 code);

/* descriptors.c */
void descriptors_init(void);
extern void (*volatile page_fault_handler)(u64 address);
extern volatile u64 timer_interrupts;

/* user_mode.c, entries.S, user_code.S */
void user_mode_init(void);
u64 run_user(void (*entry)(void), u64 a, u64 b);
void user_system_calls(void);
void user_page_touches(void);

/* The tests, each: repetitions -> a result that every emulator must agree on. */
u64 test_integer(u64 n);
u64 test_sieve(u64 n);
u64 test_system_call(u64 n);
u64 test_page_fault(u64 n);
u64 test_cr3(u64 n);
u64 test_timer(u64 n);

extern u64 root[512];

#define PAGE_SIZE 4096ul
/* Page table entries: present, writable, user. */
#define PTE_ALL 7ul
/* The second slot of the top level: free of the identity map. */
#define WINDOW_SLOT 1
#define WINDOW ((u64)WINDOW_SLOT << 39)

static inline void out_byte(u16 port, u8 value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 in_byte(u16 port) {
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void write_msr(u32 number, u64 value) {
    __asm__ volatile("wrmsr" : : "c"(number), "a"((u32)value), "d"((u32)(value >> 32)));
}
#endif
