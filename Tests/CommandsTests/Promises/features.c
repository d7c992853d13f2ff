// What CPUID promises executes, what it does not promise faults.
#include "kernel.h"

static u8 area[4096] __attribute__((aligned(64)));

struct feature {
    const char *name;
    u32 leaf, subleaf;
    u8 word, bit;
    u8 absent;             // the vector where it is not promised
    u8 length;
    u8 bytes[10];
    u32 rcx, rax;          // RDI is always the address of `area`
};

#define F(name, leaf, word, bit, absent, rcx, rax, ...) \
    {name, leaf, 0, word, bit, absent, sizeof (u8[]){__VA_ARGS__}, {__VA_ARGS__}, rcx, rax}

static const struct feature features[] = {
    F("fpu", 1, EDX, 0, UD, 0, 0, 0xD9, 0xEE),
    F("rdtsc", 1, EDX, 4, UD, 0, 0, 0x0F, 0x31),
    F("rdmsr", 1, EDX, 5, UD, 0x10, 0, 0x0F, 0x32),
    F("cmpxchg8b", 1, EDX, 8, UD, 0, 0, 0x0F, 0xC7, 0x0F),
    F("cmov", 1, EDX, 15, UD, 0, 0, 0x0F, 0x44, 0xC1),
    F("clflush", 1, EDX, 19, UD, 0, 0, 0x0F, 0xAE, 0x3F),
    F("mmx", 1, EDX, 23, UD, 0, 0, 0x0F, 0xEF, 0xC0),
    F("fxsave", 1, EDX, 24, UD, 0, 0, 0x0F, 0xAE, 0x07),
    F("sse", 1, EDX, 25, UD, 0, 0, 0x0F, 0x57, 0xC0),
    F("sse2", 1, EDX, 26, UD, 0, 0, 0x66, 0x0F, 0xEF, 0xC0),
    F("sse3", 1, ECX, 0, UD, 0, 0, 0xF2, 0x0F, 0xD0, 0xC0),
    F("pclmulqdq", 1, ECX, 1, UD, 0, 0, 0x66, 0x0F, 0x3A, 0x44, 0xC0, 0),
    F("monitor", 1, ECX, 3, UD, 0, 0x200000, 0x0F, 0x01, 0xC8),
    F("ssse3", 1, ECX, 9, UD, 0, 0, 0x66, 0x0F, 0x38, 0x00, 0xC0),
    F("fma", 1, ECX, 12, UD, 0, 0, 0xC4, 0xE2, 0x79, 0x98, 0xC0),
    F("cmpxchg16b", 1, ECX, 13, UD, 0, 0, 0x48, 0x0F, 0xC7, 0x0F),
    F("sse4.1", 1, ECX, 19, UD, 0, 0, 0x66, 0x0F, 0x38, 0x10, 0xC0),
    F("sse4.2", 1, ECX, 20, UD, 0, 0, 0x66, 0x0F, 0x38, 0x37, 0xC0),
    F("movbe", 1, ECX, 22, UD, 0, 0, 0x0F, 0x38, 0xF0, 0x07),
    F("popcnt", 1, ECX, 23, UD, 0, 0, 0xF3, 0x0F, 0xB8, 0xC0),
    F("aes", 1, ECX, 25, UD, 0, 0, 0x66, 0x0F, 0x38, 0xDC, 0xC0),
    F("xsave", 1, ECX, 26, UD, 0, 3, 0x0F, 0xAE, 0x27),
    F("xgetbv", 1, ECX, 26, UD, 0, 0, 0x0F, 0x01, 0xD0),
    F("avx", 1, ECX, 28, UD, 0, 0, 0xC5, 0xF8, 0x57, 0xC0),
    F("f16c", 1, ECX, 29, UD, 0, 0, 0xC4, 0xE2, 0x79, 0x13, 0xC0),
    F("rdrand", 1, ECX, 30, UD, 0, 0, 0x0F, 0xC7, 0xF0),
    F("fsgsbase", 7, EBX, 0, UD, 0, 0, 0xF3, 0x48, 0x0F, 0xAE, 0xC0),
    F("bmi1", 7, EBX, 3, UD, 0, 0, 0xC4, 0xE2, 0x78, 0xF2, 0xC0),
    F("avx2", 7, EBX, 5, UD, 0, 0, 0xC5, 0xFD, 0xEF, 0xC0),
    F("bmi2", 7, EBX, 8, UD, 0, 0, 0xC4, 0xE2, 0x7B, 0xF5, 0xC0),
    F("invpcid", 7, EBX, 10, UD, 0, 2, 0x66, 0x0F, 0x38, 0x82, 0x07),
    F("rtm", 7, EBX, 11, UD, 0, 0, 0x0F, 0x01, 0xD6),
    F("avx512f", 7, EBX, 16, UD, 0, 0, 0x62, 0xF1, 0x7C, 0x48, 0x57, 0xC0),
    F("rdseed", 7, EBX, 18, UD, 0, 0, 0x0F, 0xC7, 0xF8),
    F("adx", 7, EBX, 19, UD, 0, 0, 0x66, 0x0F, 0x38, 0xF6, 0xC0),
    F("stac", 7, EBX, 20, UD, 0, 0, 0x0F, 0x01, 0xCB),
    F("clac", 7, EBX, 20, UD, 0, 0, 0x0F, 0x01, 0xCA),
    F("clflushopt", 7, EBX, 23, UD, 0, 0, 0x66, 0x0F, 0xAE, 0x3F),
    F("clwb", 7, EBX, 24, UD, 0, 0, 0x66, 0x0F, 0xAE, 0x37),
    F("sha", 7, EBX, 29, UD, 0, 0, 0x0F, 0x38, 0xC8, 0xC0),
    F("rdpkru", 7, ECX, 3, UD, 0, 0, 0x0F, 0x01, 0xEE),
    F("umonitor", 7, ECX, 5, UD, 0, 0, 0xF3, 0x0F, 0xAE, 0xF0),
    F("gfni", 7, ECX, 8, UD, 0, 0, 0x66, 0x0F, 0x38, 0xCF, 0xC0),
    F("rdpid", 7, ECX, 22, UD, 0, 0, 0xF3, 0x0F, 0xC7, 0xF8),
    F("movdiri", 7, ECX, 27, UD, 0, 0, 0x0F, 0x38, 0xF9, 0x07),
    F("movdir64b", 7, ECX, 28, UD, 0, 0, 0x66, 0x0F, 0x38, 0xF8, 0x07),
    F("serialize", 7, EDX, 14, UD, 0, 0, 0x0F, 0x01, 0xE8),
    F("lahf", 0x80000001, ECX, 0, UD, 0, 0, 0x9F),
    F("vmload", 0x80000001, ECX, 2, UD, 0, 0, 0x0F, 0x01, 0xDA),
    F("clgi", 0x80000001, ECX, 2, UD, 0, 0, 0x0F, 0x01, 0xDD),
    F("sse4a", 0x80000001, ECX, 6, UD, 0, 0, 0xF2, 0x0F, 0x79, 0xC0),
    F("xop", 0x80000001, ECX, 11, UD, 0, 0, 0x8F, 0xE9, 0x78, 0x80, 0xC0),
    F("fma4", 0x80000001, ECX, 16, UD, 0, 0, 0xC4, 0xE3, 0xF9, 0x69, 0xC0, 0),
    F("monitorx", 0x80000001, ECX, 29, UD, 0, 0, 0x0F, 0x01, 0xFA),
    F("rdtscp", 0x80000001, EDX, 27, UD, 0, 0, 0x0F, 0x01, 0xF9),
    F("3dnow", 0x80000001, EDX, 31, UD, 0, 0, 0x0F, 0x0F, 0xC0, 0x9E),
    F("clzero", 0x80000008, EBX, 0, UD, 0, 0x200000, 0x0F, 0x01, 0xFC),
    F("rdpru", 0x80000008, EBX, 4, UD, 0, 0, 0x0F, 0x01, 0xFD),
};

// Instructions that exist whatever CPUID says, or never outside a mode that is not there.
static const struct { const char *name; u8 vector, length, bytes[8]; } fixed[] = {
    {"ud0", UD, 3, {0x0F, 0xFF, 0xC0}}, {"ud1", UD, 3, {0x0F, 0xB9, 0xC0}},
    {"ud2", UD, 2, {0x0F, 0x0B}}, {"rsm", UD, 2, {0x0F, 0xAA}},
    {"vmcall", UD, 3, {0x0F, 0x01, 0xC1}}, {"vmmcall", UD, 3, {0x0F, 0x01, 0xD9}},
    {"vmxoff", UD, 3, {0x0F, 0x01, 0xC4}}, {"vmread", UD, 3, {0x0F, 0x78, 0xC0}},
    {"invept", UD, 5, {0x66, 0x0F, 0x38, 0x80, 0x07}}, {"getsec", UD, 2, {0x0F, 0x37}},
    {"rdpmc", GP, 2, {0x0F, 0x33}}, {"pause", NONE, 2, {0xF3, 0x90}},
    {"prefetchw", NONE, 3, {0x0F, 0x0D, 0x0F}}, {"endbr64", NONE, 4, {0xF3, 0x0F, 0x1E, 0xFA}},
    {"tzcnt or bsf", NONE, 4, {0xF3, 0x0F, 0xBC, 0xC0}}, {"long nop", NONE, 3, {0x0F, 0x1F, 0xC0}},
    {"lock without memory", UD, 3, {0xF0, 0x01, 0xC0}}, {"aaa", UD, 1, {0x37}},
    {"push cs", UD, 1, {0x0E}}, {"mov cr1", UD, 3, {0x0F, 0x20, 0xC8}},
    {"mov cr9", UD, 4, {0x44, 0x0F, 0x20, 0xC8}}, {"mov cr8", NONE, 4, {0x44, 0x0F, 0x20, 0xC0}},
    {"sysexit to selector 0", GP, 2, {0x0F, 0x35}},
};

// MWAIT's and MONITOR's own rules, and what IA32_MISC_ENABLE does to them.
static void test_monitor(void) {
    static const u8 monitor[] = {0x0F, 0x01, 0xC8}, wait[] = {0x0F, 0x01, 0xC9};
    if (!promises(1, 0, ECX, 3)) return;
    // A store to the line that was monitored last: none is armed now.
    store32(0x200000, load32(0x200000));
    struct answer leaf = identify(5, 0);
    check((leaf.word[EAX] & 0xFFFF) == 64 && (leaf.word[EBX] & 0xFFFF) == 64, "line of %d bytes",
        leaf.word[EAX]);
    struct registers r = {(u64)area, 1, 0, 0, (u64)area};
    check(attempt(monitor, 3, r) == GP, "MONITOR with extensions");
    check(attempt(wait, 3, (struct registers){0, 2, 0, 0, 0}) == GP, "MWAIT with extension 2");
    r.rax = 1ull << 63;
    r.rcx = 0;
    check(attempt(monitor, 3, r) == GP, "MONITOR of a non-canonical address");
    r.rax = 1ull << 40;
    check(attempt(monitor, 3, r) == 14, "MONITOR of a page that is not there");
    // Nothing is armed: it does not wait.
    check(attempt(wait, 3, (struct registers){0}) == NONE, "MWAIT of no line");
    if (is_amd) {
        u64 old = read_msr(0xC0010015);
        write_msr(0xC0010015, old | 1 << 9);
        check(!promises(1, 0, ECX, 3), "CPUID.MONITOR with HWCR.9");
        check(attempt(wait, 3, (struct registers){0}) == UD, "MWAIT with HWCR.9");
        write_msr(0xC0010015, old);
        check(promises(1, 0, ECX, 3) && read_msr(0xC0010015) == old, "HWCR comes back");
        return;
    }
    u64 enables = read_msr(0x1A0);
    check(enables >> 18 & 1, "MISC_ENABLE.18 after reset");
    write_msr(0x1A0, enables & ~(1ull << 18));
    check(!promises(1, 0, ECX, 3), "CPUID.MONITOR with MISC_ENABLE.18 clear");
    r.rax = (u64)area;
    check(attempt(monitor, 3, r) == UD, "MONITOR with MISC_ENABLE.18 clear");
    check(attempt(wait, 3, (struct registers){0}) == UD, "MWAIT with MISC_ENABLE.18 clear");
    write_msr(0x1A0, enables | 1ull << 22);
    check(identify(0, 0).word[EAX] <= 3, "CPUID's limit with MISC_ENABLE.22");
    write_msr(0x1A0, enables | 1ull << 34);
    check(!promises(0x80000001, 0, EDX, 20), "CPUID.NX with MISC_ENABLE.34");
    write_msr(0x1A0, enables);
    check(promises(1, 0, ECX, 3) && read_msr(0x1A0) == enables, "MISC_ENABLE comes back");
}

void test_instructions(void) {
    u64 old, cr4;
    asm volatile("mov %%cr4, %0" : "=r"(old));
    cr4 = old;
    if (promises(1, 0, ECX, 26)) cr4 |= 1 << 18;
    if (promises(7, 0, EBX, 0)) cr4 |= 1 << 16;
    asm volatile("mov %0, %%cr4" ::"r"(cr4));
    if (promises(1, 0, ECX, 26)) check(promises(1, 0, ECX, 27), "OSXSAVE follows CR4");
    for (u32 n = 0; n < sizeof features / sizeof *features; n++) {
        const struct feature *f = features + n;
        int there = promises(f->leaf, f->subleaf, f->word, f->bit);
        struct registers r = {f->rax, f->rcx, 0, 0, (u64)area};
        for (u32 k = 0; k < sizeof area; k++) area[k] = 0;
        u32 vector = attempt(f->bytes, f->length, r);
        check(vector == (there ? NONE : f->absent), "%s is%s promised: vector %d", f->name,
            there ? "" : " not", vector);
    }
    for (u32 n = 0; n < sizeof fixed / sizeof *fixed; n++) {
        struct registers r = {0, 0, 0, 0, (u64)area};
        u32 vector = attempt(fixed[n].bytes, fixed[n].length, r);
        // AMD's processors know SYSEXIT in legacy mode only.
        u32 wanted = is_amd && fixed[n].bytes[1] == 0x35 ? UD : fixed[n].vector;
        check(vector == wanted, "%s: vector %d", fixed[n].name, vector);
    }
    // XSAVE's variants, by leaf 0xD.
    static const u8 variants[][3] = {
        {0x0F, 0xAE, 0x37}, {0x0F, 0xC7, 0x27}, {0, 0, 0}, {0x0F, 0xC7, 0x2F}};
    for (int bit = 0; bit < 4; bit++) {
        if (bit == 2) continue;
        struct registers r = {3, 0, 0, 0, (u64)area};
        u32 vector = attempt(variants[bit], 3, r);
        check(vector == (promises(0xD, 1, EAX, bit) ? NONE : UD), "XSAVE variant %d: vector %d",
            bit, vector);
    }
    asm volatile("mov %0, %%cr4" ::"r"(old));
    check(!promises(1, 0, ECX, 27), "OSXSAVE follows CR4 back");
    static const u8 xgetbv[] = {0x0F, 0x01, 0xD0}, base[] = {0xF3, 0x48, 0x0F, 0xAE, 0xC0};
    check(attempt(xgetbv, 3, (struct registers){0}) == UD, "XGETBV with CR4.OSXSAVE clear");
    check(attempt(base, 5, (struct registers){0}) == UD, "RDFSBASE with CR4.FSGSBASE clear");
    test_monitor();
}
