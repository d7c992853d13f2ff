/* fail=bad-pagetable: a physical address is used where a frame number is wanted and shifted once
 * more, so the page table names a frame far beyond the guest's memory. */
#include "command_line.h"
#include "failures.h"
#include "memory.h"
#include "print.h"

#define LOG_BUFFER_ADDRESS (GUEST_PAGE_OFFSET + 0x6000000000)
#define FRAME_SHIFT 12

[[gnu::noinline]] static void map_log_buffer(u64 frame_number) {
    u64 *entry = page_table_entry(kernel_root(), LOG_BUFFER_ADDRESS, true);
    if (entry == nullptr) {
        panic("no memory for the log buffer's page table");
    }
    *entry = frame_number << FRAME_SHIFT | PTE_PRESENT | PTE_WRITE | PTE_NO_EXECUTE;
    hypercall(HYPERCALL_INVLPG, LOG_BUFFER_ADDRESS, 0, 0);
}

[[gnu::noinline]] static void clear_log_buffer(void) {
    volatile u64 *words = (u64 *)LOG_BUFFER_ADDRESS;
    for (u64 i = 0; i < PAGE_SIZE / sizeof(u64); i++) {
        words[i] = 0;
    }
}

void failure_bad_pagetable(void) {
    if (command_line_is("fail", "bad-pagetable")) {
        u64 physical = page_alloc();
        map_log_buffer(physical);   /* should be physical >> FRAME_SHIFT */
        clear_log_buffer();
    }
}
