// Bits of CR4, CR0 and EFER, and model-specific registers: those promised work, all others fault.
#include "kernel.h"

struct bit { u8 bit; u32 leaf; u8 word, feature; };

void test_control_bits(void) {
    // CR4's bits by what promises them; 32 means always.
    static const struct bit bits[] = {
        {0, 1, EDX, 1}, {1, 1, EDX, 1}, {2, 1, EDX, 4}, {3, 1, EDX, 2}, {4, 1, EDX, 3},
        {6, 1, EDX, 7}, {7, 1, EDX, 13}, {8, 1, EDX, 32}, {9, 1, EDX, 24}, {10, 1, EDX, 25},
        {11, 7, ECX, 2}, {13, 1, ECX, 5}, {14, 1, ECX, 6}, {16, 7, EBX, 0}, {17, 1, ECX, 17},
        {18, 1, ECX, 26}, {20, 7, EBX, 7}, {22, 7, ECX, 3}, {23, 7, ECX, 7}, {24, 7, ECX, 31},
    };
    static const u8 load4[] = {0x0F, 0x22, 0xE0}, load0[] = {0x0F, 0x22, 0xC0};
    u64 cr4, cr0;
    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    asm volatile("mov %%cr0, %0" : "=r"(cr0));
    for (int n = 0; n < 64; n++) {
        int there = 0;
        // PAE is on; 5-level paging cannot be chosen here; this kernel's pages are user pages, so
        // SMEP and SMAP are others' to test.
        if (n == 5 || n == 12 || n == 20 || n == 21) continue;
        for (u32 k = 0; k < sizeof bits / sizeof *bits; k++)
            if (bits[k].bit == n)
                there = bits[k].feature == 32
                    || promises(bits[k].leaf, 0, bits[k].word, bits[k].feature);
        u32 vector = attempt(load4, 3, (struct registers){cr4 ^ 1ull << n, 0, 0, 0, 0});
        asm volatile("mov %0, %%cr4" ::"r"(cr4));
        check(vector == (there || cr4 >> n & 1 ? NONE : GP), "CR4 bit %d: vector %d", n, vector);
    }
    for (int n = 32; n < 64; n++)
        check(attempt(load0, 3, (struct registers){cr0 | 1ull << n, 0, 0, 0, 0}) == GP,
            "CR0 bit %d is reserved", n);
    check(attempt(load0, 3, (struct registers){cr0 | 1 << 29, 0, 0, 0, 0}) == GP, "NW without CD");
    check(attempt(load0, 3, (struct registers){cr0 & ~1ull, 0, 0, 0, 0}) == GP, "PG without PE");
    static const struct bit extended[] = {{0, 0x80000001, EDX, 11}, {11, 0x80000001, EDX, 20},
        {12, 0x80000001, ECX, 2}, {14, 0x80000001, EDX, 25}, {15, 0x80000001, ECX, 17}};
    static const u8 write[] = {0x0F, 0x30};
    u64 efer = read_msr(0xC0000080);
    for (int n = 0; n < 32; n++) {
        if (n == 8 || n == 10) continue;
        int there = 0;
        for (u32 k = 0; k < 5; k++)
            if (extended[k].bit == n)
                there = promises(extended[k].leaf, 0, extended[k].word, extended[k].feature);
        u32 vector = attempt(write, 2, (struct registers){efer ^ 1u << n, 0xC0000080, 0, 0, 0});
        check(vector == (there ? NONE : GP), "EFER bit %d: vector %d", n, vector);
        write_msr(0xC0000080, efer);
    }
}

struct model { u32 number; u32 leaf; u8 word, bit; };

void test_model_specific(void) {
    // By what promises them; bit 32 always, 33 Intel only, both by the model.
    static const struct model registers[] = {
        {0x10, 1, EDX, 4}, {0x1B, 1, EDX, 32}, {0x3A, 1, EDX, 33}, {0x3B, 7, EBX, 1},
        {0x48, 7, EDX, 26}, {0xC1, 0xA, EAX, 8}, {0xFE, 1, EDX, 12}, {0x10A, 7, EDX, 29},
        {0x122, 7, EBX, 11}, {0x174, 1, EDX, 11}, {0x175, 1, EDX, 11}, {0x176, 1, EDX, 11},
        {0x179, 1, EDX, 32}, {0x17A, 1, EDX, 32}, {0x186, 0xA, EAX, 8}, {0x1A0, 1, EDX, 33},
        {0x200, 1, EDX, 12}, {0x250, 1, EDX, 12}, {0x277, 1, EDX, 16}, {0x2FF, 1, EDX, 12},
        {0x345, 1, ECX, 15}, {0x38F, 0xA, EAX, 8}, {0x400, 1, EDX, 14}, {0x480, 1, ECX, 5},
        {0x6A0, 7, ECX, 7}, {0x6E0, 1, ECX, 24}, {0x6E1, 7, ECX, 31}, {0xC0000080, 1, EDX, 32},
        {0xC0000081, 0x80000001, EDX, 11}, {0xC0000082, 0x80000001, EDX, 11},
        {0xC0000083, 0x80000001, EDX, 11}, {0xC0000084, 0x80000001, EDX, 11},
        {0xC0000100, 0x80000001, EDX, 29}, {0xC0000101, 0x80000001, EDX, 29},
        {0xC0000102, 0x80000001, EDX, 29}, {0xC0000103, 0x80000001, EDX, 27},
        {0xC0010114, 0x80000001, ECX, 2}, {0xC0010117, 0x80000001, ECX, 2},
    };
    static const u8 read[] = {0x0F, 0x32}, write[] = {0x0F, 0x30};
    for (u32 n = 0; n < sizeof registers / sizeof *registers; n++) {
        const struct model *m = registers + n;
        int there = m->bit == 32
            || (m->bit == 33 ? !is_amd : promises(m->leaf, 0, m->word, m->bit));
        u32 vector = attempt(read, 2, (struct registers){0, m->number, 0, 0, 0});
        check(vector == (there ? NONE : GP), "reading MSR %x: vector %d", (u64)m->number, vector);
        if (there) continue;
        vector = attempt(write, 2, (struct registers){0, m->number, 0, 0, 0});
        check(vector == GP, "writing MSR %x: vector %d", (u64)m->number, vector);
    }
    // Addresses must be canonical.
    static const u32 addresses[] = {0x175, 0x176, 0xC0000082, 0xC0000083, 0xC0000100, 0xC0000102};
    for (u32 n = 0; n < sizeof addresses / sizeof *addresses; n++) {
        struct registers r = {0, addresses[n], 1u << 15, 0, 0};
        check(attempt(write, 2, r) == GP, "MSR %x takes a non-canonical address",
            (u64)addresses[n]);
        u64 old = read_msr(addresses[n]);
        write_msr(addresses[n], 0xFFFF800012345678ull);
        check(read_msr(addresses[n]) == 0xFFFF800012345678ull, "MSR %x keeps an address",
            (u64)addresses[n]);
        write_msr(addresses[n], old);
    }
    check(attempt(write, 2, (struct registers){2, 0x277, 0, 0, 0}) == GP, "memory type 2 in PAT");
    check(attempt(read, 2, (struct registers){0, 0x40000000, 0, 0, 0}) == GP, "MSR 40000000");
}

void test_time_stamp(void) {
    write_msr(0x10, 1ull << 40);
    u64 now = time_stamp();
    check(now >= 1ull << 40 && now < (1ull << 40) + 100000, "the TSC follows its write");
}
