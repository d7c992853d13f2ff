/* Physical memory and the host's own page tables. */
#ifndef MEMORY_H
#define MEMORY_H

#include "layout.h"

#define PTE_PRESENT 0x1UL
#define PTE_WRITABLE 0x2UL
#define PTE_USER 0x4UL
#define PTE_WRITE_THROUGH 0x8UL
#define PTE_CACHE_DISABLED 0x10UL
#define PTE_ACCESSED 0x20UL
#define PTE_DIRTY 0x40UL
#define PTE_LARGE 0x80UL
#define PTE_GLOBAL 0x100UL
#define PTE_NO_EXECUTE (1UL << 63)
#define PTE_FRAME 0x000ffffffffff000UL

/* The PML4 slots that every root has: the host's direct map and its text. */
#define TEXT_SLOT 511 /* DIRECT_SLOT is in layout.h */

static inline void *from_physical(u64 address)
{
    return (void *)(DIRECT_MAP + address);
}

static inline u64 to_physical(const void *address)
{
    u64 a = (u64)address;
    return a >= TEXT_MAP ? a - TEXT_MAP : a - DIRECT_MAP;
}

/* What the loader said of memory (PVH start info). */
struct module {
    u64 start; /* physical */
    u64 size;
};
#define MAX_MODULES 4
struct boot_facts {
    u64 memory_end; /* of the RAM above 1 MiB, physical */
    u64 module_count;
    struct module modules[MAX_MODULES];
    char command_line[1024];
};
extern struct boot_facts boot_facts;

/* Copies the start info; the loader may have put it where the pool will be. */
void memory_read_start_info(u64 start_info_phys);
/* The page pool, the guests' memory (bytes of each; 0 = 64 MiB or what there is), the final page
 * tables. */
void memory_start(u64 guest_count, u64 guest_memory);

/* A zeroed page, as a direct map address; NULL if there is none. Freed pages are reused last in
 * first out. */
void *page_alloc(void);
void page_free(void *page);

u64 guest_count(void);
/* Physical start of guest n's memory. */
u64 guest_memory_start(u64 n);
u64 guest_memory_size(void);

/* A root that holds the host's slots and nothing else; a direct map address. */
u64 *root_alloc(void);
extern u64 *host_root;

/* Maps a page (or with PTE_LARGE a 2 MiB page) in the lower half of a host process's root. */
void map_user(u64 *root, u64 address, u64 physical, u64 flags);

#endif
