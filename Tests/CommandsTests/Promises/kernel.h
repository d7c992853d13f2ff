#pragma once
#include "../KernelSupport/basics.h"

struct registers { u64 rax, rcx, rdx, rbx, rdi; };
struct answer { u32 word[4]; };
enum { EAX, EBX, ECX, EDX };
enum { NONE = 255, UD = 6, GP = 13 };

static inline u64 read_msr(u32 n) {
    u32 a, d;
    asm volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(n));
    return (u64)d << 32 | a;
}
static inline void write_msr(u32 n, u64 v) {
    asm volatile("wrmsr" ::"c"(n), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}
static inline u64 time_stamp(void) {
    u32 a, d;
    asm volatile("rdtsc" : "=a"(a), "=d"(d)::"memory");
    return (u64)d << 32 | a;
}
static inline struct answer identify(u32 leaf, u32 subleaf) {
    struct answer r;
    asm volatile("cpuid" : "=a"(r.word[0]), "=b"(r.word[1]), "=c"(r.word[2]), "=d"(r.word[3])
        : "a"(leaf), "c"(subleaf));
    return r;
}

void print(const char *format, ...);
void check(int holds, const char *what, ...);
void set_gate(int vector, void *handler);
u32 attempt_call(const void *code, const struct registers *r);
// Executes at most 15 bytes, as `attempt_call` does.
u32 attempt(const u8 *bytes, u32 length, struct registers r);
int promises(u32 leaf, u32 subleaf, int word, int bit);
extern int is_amd, processors;

void test_instructions(void);
void test_control_bits(void);
void test_model_specific(void);
void test_time_stamp(void);
void test_local_apic(void);
void test_lines(void);
void test_numeric_errors(void);
void test_processors(void);
void test_shadows(void);
