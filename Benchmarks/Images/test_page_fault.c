/* n page faults from CPL 3. One page of the window is mapped at a time: the handler maps the page
 * that is wanted and unmaps the one before, so every access faults. */
#include "bench.h"

#define FRAMES 64

[[gnu::aligned(4096)]] static u64 pointers[512];
[[gnu::aligned(4096)]] static u64 directory[512];
[[gnu::aligned(4096)]] static u64 table[512];
[[gnu::aligned(4096)]] static u64 frames[FRAMES][512];

static u64 mapped;   /* index in the table of the page that is */
static u64 faults;

static void map_wanted(u64 address) {
    u64 index = address / PAGE_SIZE % 512;
    table[mapped] = 0;
    __asm__ volatile("invlpg (%0)" : : "r"(WINDOW + mapped * PAGE_SIZE) : "memory");
    table[index] = (u64)frames[faults % FRAMES] | PTE_ALL;
    mapped = index;
    faults++;
}

u64 test_page_fault(u64 n) {
    for (u64 i = 0; i < FRAMES; i++) {
        frames[i][0] = i * 0x9e3779b97f4a7c15;
    }
    root[WINDOW_SLOT] = (u64)pointers | PTE_ALL;
    pointers[0] = (u64)directory | PTE_ALL;
    directory[0] = (u64)table | PTE_ALL;
    page_fault_handler = map_wanted;
    u64 checksum = run_user(user_page_touches, n, WINDOW);
    page_fault_handler = nullptr;
    return checksum ^ faults;
}
