/* Guest-physical memory and page tables. Addresses named `physical` are guest-physical. */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H
#include "hypercall.h"

#define PAGE_SIZE 4096ul
#define LARGE_PAGE_SIZE 0x200000ul

static inline void *direct(u64 physical) {
    return (void *)(GUEST_PAGE_OFFSET + physical);
}

static inline u64 physical_of(const void *direct_map_address) {
    return (u64)direct_map_address - GUEST_PAGE_OFFSET;
}

/* page_alloc.c: frames with reference counts. Frames below the first free one (the kernel's image,
 * the user program's stored pages) are permanent: counting them does nothing. */
void page_alloc_init(u64 free_start, u64 memory_size);
/* A frame with one reference and whatever it last held, or 0 if memory is exhausted. */
u64 page_alloc(void);
u64 page_alloc_zeroed(void);
void page_reference(u64 physical);
/* Drops one reference; the last one frees the frame. */
void page_release(u64 physical);
/* References to the frame; a permanent frame counts as shared by many. */
u32 page_references(u64 physical);
u64 pages_in_use(void);

/* page_table.c: four-level tables (Intel SDM vol. 3 4.5). */
#define PTE_PRESENT 0x1ul
#define PTE_WRITE 0x2ul
#define PTE_USER 0x4ul
#define PTE_LARGE 0x80ul
#define PTE_NO_EXECUTE (1ul << 63)
#define PTE_FRAME 0x000ffffffffff000ul

/* The entry of `address` in the last-level table under `root`, or NULL: if it is missing and
 * `create` is false, or memory is exhausted. Does not look into large pages. */
u64 *page_table_entry(u64 root, u64 address, bool create);
/* Tables below `root`'s lower half, with a reference more on every frame they name and write
 * permission taken from both sides, of which the host is told. False if memory is exhausted; `to`
 * then holds a part. */
bool page_table_share_user(u64 from, u64 to);
/* Releases every user frame and table under `root`, and `root` itself. */
void page_table_release_user(u64 root);

/* kernel_space.c: the kernel's own half, which every root holds. */
void kernel_space_init(u64 memory_size);
u64 kernel_root(void);
/* A root with the kernel's half and nothing of the user's, or 0. */
u64 kernel_space_new_root(void);
/* The top of kernel stack `index`, whose page below the stack is unmapped. */
u64 kernel_stack_top(u32 index);
#define KERNEL_STACK_COUNT 32
#define KERNEL_STACK_PAGES 3
#endif
