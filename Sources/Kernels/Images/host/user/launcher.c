/* A guest's launcher: an ordinary process that has the guest's memory in its own address space. It
 * loads the image, prepares what paravirt_abi.h says a guest finds, and runs it. */
#include "calls.h"
#include "program.h"

/* Guest-physical, below GUEST_KERNEL_PHYS; boot_info is at GUEST_BOOT_INFO_PHYS. */
#define ROOT 0x2000UL
#define POINTERS 0x3000UL
#define DIRECTORIES 0x4000UL
#define MAX_GIB 64UL

struct elf_header {
    u8 magic[4], class, data, version, abi, padding[8];
    u16 type, machine;
    u32 file_version;
    u64 entry, program_headers, section_headers;
    u32 flags;
    u16 header_size, program_header_size, program_header_count;
    u16 section_header_size, section_header_count, names;
};
struct program_header {
    u32 type, flags;
    u64 offset, virtual_address, physical_address, file_size, memory_size, alignment;
};
#define ELF_EXECUTABLE 2
#define ELF_X86_64 62
#define ELF_LOAD 1

[[noreturn]] static void give_up(const char *why)
{
    say(why);
    say("\n");
    leave(1);
}

static void copy(u64 to, u64 from, u64 count)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void clear(u64 at, u64 count)
{
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(0) : "memory");
}

static const struct elf_header *check_header(const struct program_arguments *arguments)
{
    const struct elf_header *header = (const struct elf_header *)arguments->image;
    if (arguments->image_size < sizeof *header || header->magic[0] != 0x7f
        || header->magic[1] != 'E' || header->magic[2] != 'L' || header->magic[3] != 'F')
        give_up("the guest's image is not an ELF file");
    if (header->class != 2 || header->data != 1 || header->machine != ELF_X86_64
        || header->type != ELF_EXECUTABLE)
        give_up("the guest's image is not an x86-64 executable");
    u64 size = (u64)header->program_header_count * sizeof(struct program_header);
    if (header->program_header_size != sizeof(struct program_header)
        || header->program_headers > arguments->image_size
        || size > arguments->image_size - header->program_headers)
        give_up("the guest's image has a bad program header table");
    return header;
}

/* Returns the end of what was loaded, guest-physical. */
static u64 load(const struct program_arguments *arguments, const struct elf_header *header)
{
    u64 end = 0;
    for (u64 i = 0; i < header->program_header_count; i++) {
        struct program_header part;
        copy((u64)&part, arguments->image + header->program_headers + i * sizeof part, sizeof part);
        if (part.type != ELF_LOAD || !part.memory_size)
            continue;
        if (part.offset > arguments->image_size
            || part.file_size > arguments->image_size - part.offset
            || part.file_size > part.memory_size)
            give_up("a segment of the guest's image lies outside the file");
        if (part.physical_address < GUEST_KERNEL_PHYS
            || part.physical_address > arguments->memory_size
            || part.memory_size > arguments->memory_size - part.physical_address)
            give_up("a segment of the guest's image lies outside the guest's memory");
        u64 to = arguments->memory + part.physical_address;
        copy(to, arguments->image + part.offset, part.file_size);
        clear(to + part.file_size, part.memory_size - part.file_size);
        if (end < part.physical_address + part.memory_size)
            end = part.physical_address + part.memory_size;
    }
    if (!end)
        give_up("the guest's image has nothing to load");
    return (end + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);
}

/* The initial tables: the direct map of all of the guest's memory, 2 MiB pages, writable. */
static void make_tables(const struct program_arguments *arguments)
{
    u64 directories = (arguments->memory_size + (1UL << 30) - 1) >> 30;
    if (directories > MAX_GIB)
        give_up("the guest's memory is too large for its first page tables");
    u64 *root = (u64 *)(arguments->memory + ROOT);
    u64 *pointers = (u64 *)(arguments->memory + POINTERS);
    u64 *directory = (u64 *)(arguments->memory + DIRECTORIES);
    clear((u64)root, (2 + directories) * PAGE_SIZE);
    root[GUEST_PAGE_OFFSET >> 39 & 511] = POINTERS | 3;
    for (u64 i = 0; i < directories; i++)
        pointers[i] = (DIRECTORIES + i * PAGE_SIZE) | 3;
    for (u64 i = 0; i < arguments->memory_size / LARGE_PAGE_SIZE; i++)
        directory[i] = i * LARGE_PAGE_SIZE | 0x83;
}

static void make_boot_info(const struct program_arguments *arguments, u64 free_start)
{
    struct boot_info *info = (struct boot_info *)(arguments->memory + GUEST_BOOT_INFO_PHYS);
    clear((u64)info, sizeof *info);
    info->abi_version = PARAVIRT_ABI_VERSION;
    info->memory_size = arguments->memory_size;
    info->free_start = free_start;
    info->root = ROOT;
    info->shared_page = GUEST_SHARED_PAGE;
    info->host_tick_cycles = arguments->tick_cycles;
    copy((u64)info->command_line, (u64)arguments->command_line, sizeof info->command_line);
}

[[noreturn]] void launcher_main(void)
{
    const struct program_arguments *arguments = PROGRAM_ARGUMENTS;
    const struct elf_header *header = check_header(arguments);
    u64 free_start = load(arguments, header);
    make_tables(arguments);
    make_boot_info(arguments, free_start);
    if (host_call(SYSCALL_LGUEST_INIT, header->entry, ROOT,
                  GUEST_PAGE_OFFSET + GUEST_BOOT_INFO_PHYS) < 0)
        give_up("the host refused the guest's entry point");
    leave(host_call(SYSCALL_LGUEST_RUN, 0, 0, 0) == EXIT_SHUTDOWN ? 0 : 1);
}
