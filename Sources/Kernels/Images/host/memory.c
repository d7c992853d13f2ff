/* Physical memory and the host's own page tables. */
#include "memory.h"
#include "cpu.h"
#include "panic.h"
#include "strings.h"

struct hvm_start_info {
    u32 magic, version, flags, module_count;
    u64 module_list, command_line, rsdp, memory_map;
    u32 memory_map_entries, reserved;
};
struct hvm_module {
    u64 start, size, command_line, reserved;
};
struct hvm_memory {
    u64 start, size;
    u32 type, reserved;
};
#define HVM_MAGIC 0x336ec578
#define HVM_RAM 1

/* Physical memory: the host's image, then its page pool up to POOL_END, then the guests' memory,
 * 2 MiB-aligned so that a guest's large pages can be large in the shadow too, then what the loader
 * placed high (the guest images). */
#define POOL_END 0x1000000UL
#define MAX_MEMORY (64UL << 30)
#define DEFAULT_GUEST_MEMORY (64UL << 20)
#define LEAST_GUEST_MEMORY (4UL << 20)

struct boot_facts boot_facts;
u64 *host_root;

extern u8 image_end[];
static u64 pool_next;
static void *free_pages;
static u64 guest_start;
static u64 guest_size;
static u64 guests;

void memory_read_start_info(u64 start_info_phys)
{
    const struct hvm_start_info *info = from_physical(start_info_phys);
    if (info->magic != HVM_MAGIC)
        panic("no PVH start info");
    if (info->version < 1 || !info->memory_map)
        panic("the loader gave no memory map");
    const struct hvm_memory *map = from_physical(info->memory_map);
    for (u32 i = 0; i < info->memory_map_entries; i++) {
        u64 end = map[i].start + map[i].size;
        if (map[i].type == HVM_RAM && map[i].start <= 0x100000 && end > 0x100000)
            boot_facts.memory_end = end & ~(u64)(LARGE_PAGE_SIZE - 1);
    }
    if (boot_facts.memory_end > MAX_MEMORY)
        boot_facts.memory_end = MAX_MEMORY;
    if (info->command_line) {
        const char *text = from_physical(info->command_line);
        u64 length = string_length(text);
        if (length > sizeof boot_facts.command_line - 1)
            length = sizeof boot_facts.command_line - 1;
        memcpy(boot_facts.command_line, text, length);
    }
    const struct hvm_module *list = from_physical(info->module_list);
    for (u32 i = 0; i < info->module_count && i < MAX_MODULES; i++)
        boot_facts.modules[boot_facts.module_count++] =
            (struct module){list[i].start, list[i].size};
}

/* Modules that lie where the pool or the guests' memory will be move to the end of RAM, or below
 * the lowest of those that are there. It happens before the first page is handed out. */
static void move_modules(u64 reserved_end)
{
    u64 limit = boot_facts.memory_end;
    for (u64 i = 0; i < boot_facts.module_count; i++) {
        u64 start = boot_facts.modules[i].start;
        if (start >= reserved_end && start < limit)
            limit = start;
    }
    for (u64 i = 0; i < boot_facts.module_count; i++) {
        struct module *module = &boot_facts.modules[i];
        if (module->start >= reserved_end)
            continue;
        if (module->size > limit - reserved_end)
            panic("memory is too small for the guest's image");
        limit = (limit - module->size) & ~(u64)(PAGE_SIZE - 1);
        memmove(from_physical(limit), from_physical(module->start), module->size);
        module->start = limit;
    }
}

void *page_alloc(void)
{
    void *page = free_pages;
    if (page) {
        free_pages = *(void **)page;
    } else {
        if (pool_next >= POOL_END)
            return 0;
        page = from_physical(pool_next);
        pool_next += PAGE_SIZE;
    }
    return memset(page, 0, PAGE_SIZE);
}

void page_free(void *page)
{
    *(void **)page = free_pages;
    free_pages = page;
}

static u64 *table_alloc(void)
{
    u64 *table = page_alloc();
    if (!table)
        panic("out of memory for page tables");
    return table;
}

/* The host's maps are global: they are the same in every root, the guests' shadows included, and
 * survive each load of CR3. Neither is ever user-accessible: that alone keeps a guest, which has
 * the host mapped all the time, out of it. */
static void build_host_root(void)
{
    u64 flags = PTE_PRESENT | PTE_WRITABLE | PTE_ACCESSED | PTE_DIRTY | PTE_LARGE | PTE_GLOBAL;
    u64 link = PTE_PRESENT | PTE_WRITABLE | PTE_ACCESSED;
    host_root = table_alloc();

    u64 *pointers = table_alloc();
    host_root[DIRECT_SLOT] = to_physical(pointers) | link;
    u64 *directory = 0;
    for (u64 at = 0; at < boot_facts.memory_end; at += LARGE_PAGE_SIZE) {
        if (!directory || at % (1UL << 30) == 0) {
            directory = table_alloc();
            pointers[at >> 30] = to_physical(directory) | link;
        }
        directory[at >> 21 & 511] = at | flags | PTE_NO_EXECUTE;
    }

    pointers = table_alloc();
    host_root[TEXT_SLOT] = to_physical(pointers) | link;
    directory = table_alloc();
    pointers[510] = to_physical(directory) | link;
    for (u64 at = 0; at < 40UL << 20; at += LARGE_PAGE_SIZE)
        directory[at >> 21] = at | flags;
    directory = table_alloc();
    pointers[511] = to_physical(directory) | link;
    directory[LOCAL_APIC_MAP >> 21 & 511] = LOCAL_APIC_PHYS | flags | PTE_NO_EXECUTE
        | PTE_WRITE_THROUGH | PTE_CACHE_DISABLED;

    write_cr3(to_physical(host_root));
}

void memory_start(u64 guest_number, u64 guest_memory)
{
    pool_next = (to_physical(image_end) + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);
    if (boot_facts.memory_end < POOL_END)
        panic("memory is too small");
    guests = boot_facts.module_count ? guest_number : 0;
    if (guests > MAX_MODULES)
        guests = MAX_MODULES;
    guest_start = POOL_END;
    guest_size = guest_memory;
    u64 images = 0;
    for (u64 i = 0; i < boot_facts.module_count; i++)
        images += boot_facts.modules[i].size + PAGE_SIZE;
    u64 room = boot_facts.memory_end - POOL_END;
    u64 share = guests && images < room ? (room - images) / guests & ~(LARGE_PAGE_SIZE - 1UL) : 0;
    if (!guest_size)
        guest_size = share < DEFAULT_GUEST_MEMORY ? share : DEFAULT_GUEST_MEMORY;
    if (guests && (guest_size > share || guest_size < LEAST_GUEST_MEMORY))
        panic("memory is too small for %u guest(s) of %u MiB", guests, guest_size >> 20);
    move_modules(POOL_END + guests * guest_size);
    build_host_root();
}

u64 guest_memory_start(u64 n)
{
    return guest_start + n * guest_size;
}

u64 guest_count(void)
{
    return guests;
}

u64 guest_memory_size(void)
{
    return guest_size;
}

u64 *root_alloc(void)
{
    u64 *root = table_alloc();
    root[DIRECT_SLOT] = host_root[DIRECT_SLOT];
    root[TEXT_SLOT] = host_root[TEXT_SLOT];
    return root;
}

void map_user(u64 *root, u64 address, u64 physical, u64 flags)
{
    u64 *table = root;
    int last = flags & PTE_LARGE ? 21 : 12;
    for (int shift = 39; shift > last; shift -= 9) {
        u64 *entry = &table[address >> shift & 511];
        if (!*entry)
            *entry = to_physical(table_alloc()) | PTE_PRESENT | PTE_WRITABLE | PTE_USER;
        table = from_physical(*entry & PTE_FRAME);
    }
    table[address >> last & 511] = physical | flags | PTE_PRESENT | PTE_USER;
}
