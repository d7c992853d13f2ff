/* The kernel's half of every address space: the direct map of guest-physical memory with the
 * image's sections protected, and the kernel stacks, each above a page that is never mapped, so
 * that overflow faults instead of overwriting the neighbour. */
#include "memory.h"
#include "print.h"

#define KERNEL_SLOT (GUEST_PAGE_OFFSET >> 39 & 511)
#define STACK_AREA (GUEST_PAGE_OFFSET + 0x4000000000) /* 256 GiB into that slot */
#define STACK_STRIDE 0x4000ul                        /* guard page, then KERNEL_STACK_PAGES */

extern char image_start[], image_text_end[], image_rodata_end[], image_end[];

static u64 root_of_kernel;

static u64 *must_find(u64 address) {
    u64 *entry = page_table_entry(root_of_kernel, address, true);
    if (entry == nullptr) {
        panic("no memory for the kernel's page tables");
    }
    return entry;
}

/* What may be done with a page of the first 2 MiB-aligned stretch, which holds the image. */
static u64 image_page_flags(u64 address) {
    if (address >= (u64)image_start && address < (u64)image_text_end) {
        return PTE_PRESENT;
    }
    if (address >= (u64)image_text_end && address < (u64)image_rodata_end) {
        return PTE_PRESENT | PTE_NO_EXECUTE;
    }
    return PTE_PRESENT | PTE_WRITE | PTE_NO_EXECUTE;
}

static void map_direct(u64 memory_size) {
    u64 small_end = (physical_of(image_end) + LARGE_PAGE_SIZE - 1) & ~(LARGE_PAGE_SIZE - 1);
    for (u64 physical = 0; physical < small_end; physical += PAGE_SIZE) {
        u64 address = (u64)direct(physical);
        *must_find(address) = physical | image_page_flags(address);
    }
    for (u64 physical = small_end; physical < memory_size; physical += LARGE_PAGE_SIZE) {
        u64 address = (u64)direct(physical);
        u64 *pml4 = direct(root_of_kernel);
        u64 *pointers = direct(pml4[KERNEL_SLOT] & PTE_FRAME);
        u64 *pointer = &pointers[address >> 30 & 511];
        if ((*pointer & PTE_PRESENT) == 0) {
            u64 table = page_alloc_zeroed();
            if (table == 0) {
                panic("no memory for the direct map");
            }
            *pointer = table | PTE_PRESENT | PTE_WRITE;
        }
        u64 *directory = direct(*pointer & PTE_FRAME);
        directory[address >> 21 & 511] =
            physical | PTE_PRESENT | PTE_WRITE | PTE_LARGE | PTE_NO_EXECUTE;
    }
}

static void map_stacks(void) {
    for (u32 index = 0; index < KERNEL_STACK_COUNT; index++) {
        for (u64 page = 1; page <= KERNEL_STACK_PAGES; page++) {
            u64 physical = page_alloc_zeroed();
            if (physical == 0) {
                panic("no memory for kernel stacks");
            }
            *must_find(kernel_stack_top(index) - page * PAGE_SIZE) =
                physical | PTE_PRESENT | PTE_WRITE | PTE_NO_EXECUTE;
        }
    }
}

void kernel_space_init(u64 memory_size) {
    root_of_kernel = page_alloc_zeroed();
    map_direct(memory_size);
    map_stacks();
    hypercall(HYPERCALL_NEW_PGTABLE, root_of_kernel, 0, 0);
}

u64 kernel_root(void) {
    return root_of_kernel;
}

u64 kernel_space_new_root(void) {
    u64 root = page_alloc_zeroed();
    if (root != 0) {
        /* The kernel's half hangs below this one entry, so it is shared and never goes stale. */
        ((u64 *)direct(root))[KERNEL_SLOT] = ((u64 *)direct(root_of_kernel))[KERNEL_SLOT];
    }
    return root;
}

u64 kernel_stack_top(u32 index) {
    return STACK_AREA + (index + 1) * STACK_STRIDE;
}
