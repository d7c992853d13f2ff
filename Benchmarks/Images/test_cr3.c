/* n switches between four address spaces that show different frames in one window, with reads and
 * writes of four pages of it after each. */
#include "bench.h"

#define SPACES 4
#define PAGES 4

[[gnu::aligned(4096)]] static u64 roots[SPACES][512];
[[gnu::aligned(4096)]] static u64 pointers[SPACES][512];
[[gnu::aligned(4096)]] static u64 directories[SPACES][512];
[[gnu::aligned(4096)]] static u64 tables[SPACES][512];
[[gnu::aligned(4096)]] static u64 frames[SPACES][PAGES][512];

static void build(u64 space) {
    for (u64 i = 0; i < 512; i++) {
        roots[space][i] = root[i];
    }
    roots[space][WINDOW_SLOT] = (u64)pointers[space] | PTE_ALL;
    pointers[space][0] = (u64)directories[space] | PTE_ALL;
    directories[space][0] = (u64)tables[space] | PTE_ALL;
    for (u64 page = 0; page < PAGES; page++) {
        tables[space][page] = (u64)frames[space][page] | PTE_ALL;
        frames[space][page][0] = space * 17 + page;
    }
}

u64 test_cr3(u64 n) {
    for (u64 space = 0; space < SPACES; space++) {
        build(space);
    }
    volatile u64 *window = (u64 *)WINDOW;
    u64 checksum = 0;
    for (u64 i = 0; i < n; i++) {
        __asm__ volatile("mov %0, %%cr3" : : "r"(roots[i % SPACES]) : "memory");
        for (u64 page = 0; page < PAGES; page++) {
            checksum = (checksum << 3 | checksum >> 61) + window[page * 512];
            window[page * 512] = checksum;
        }
    }
    __asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
    return checksum;
}
