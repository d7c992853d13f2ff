/* A guest's memory. The host never dereferences an address of the guest's: it walks the guest's
 * tables and uses its own direct map, so a bad address is a result here and not a fault of the
 * host's (H8, H9). */
#include "guest_memory.h"
#include "memory.h"
#include "vcpu.h"

#define LOWER_HALF_END 0x0000800000000000UL
/* The shared page's slot is filled by the host, and is not in the guest's tables. */
#define UPPER_END (GUEST_SHARED_PAGE & -1UL << 39)

int guest_address_ok(u64 address)
{
    return address < LOWER_HALF_END || (address >= GUEST_UPPER_START && address < UPPER_END);
}

/* Levels 4...1: what an entry may not have. */
static void check_entry(struct vcpu *vcpu, u64 address, u64 entry, int level)
{
    u64 size = 1UL << (12 + 9 * (level - 1));
    u64 frame = entry & PTE_FRAME;
    int large = level > 1 && (entry & PTE_LARGE);
    if (large) {
        /* Bit 12 is PAT in a large page. */
        if (level == 4 || (frame & (size - 1) & ~(1UL << 12)))
            guest_kill(vcpu, "page table entry %x (level %u, for address %x) has reserved bits set",
                       entry, (u64)level, address);
        frame &= ~(size - 1);
    } else {
        size = PAGE_SIZE;
    }
    if (frame >= vcpu->memory_size || size > vcpu->memory_size - frame)
        guest_kill(vcpu, "page table entry %x (level %u, for address %x) names a frame beyond the "
                         "guest's %u MiB of memory", entry, (u64)level, address,
                   vcpu->memory_size >> 20);
}

static void fill_walk(struct guest_walk *walk, u64 address, u64 entry, int level)
{
    u64 size = 1UL << (12 + 9 * (level - 1));
    walk->physical = (entry & PTE_FRAME & ~(size - 1)) | (address & (size - 1));
    walk->large = level > 1;
    walk->page = walk->physical & ~(u64)((walk->large ? LARGE_PAGE_SIZE : PAGE_SIZE) - 1);
}

int guest_walk(struct vcpu *vcpu, u64 address, u64 access, struct guest_walk *walk, u64 *error)
{
    u64 *entries[5];
    u64 table = vcpu->cpu->root->guest_root;
    u64 rights = PTE_WRITABLE | PTE_USER;
    int level = 4;
    *error = 0;
    if (!guest_address_ok(address))
        return 0;
    walk->executable = 1;
    for (;; level--) {
        u64 *entries_of_table = from_physical(vcpu->memory + table);
        u64 *entry = &entries_of_table[address >> (12 + 9 * (level - 1)) & 511];
        entries[level] = entry;
        if (!(*entry & PTE_PRESENT))
            return 0;
        check_entry(vcpu, address, *entry, level);
        rights &= *entry;
        if (*entry & PTE_NO_EXECUTE)
            walk->executable = 0;
        if (level == 1 || (*entry & PTE_LARGE))
            break;
        table = *entry & PTE_FRAME;
    }
    walk->writable = !!(rights & PTE_WRITABLE);
    /* A guest kernel's write to a read-only page faults, as with CR0.WP: copy-on-write relies on
     * it. */
    if (((access & ACCESS_WRITE) && !walk->writable)
        || ((access & ACCESS_USER) && !(rights & PTE_USER))
        || ((access & ACCESS_FETCH) && !walk->executable)) {
        *error = ERROR_PRESENT;
        return 0;
    }
    for (int i = 4; i >= level; i--)
        *entries[i] |= PTE_ACCESSED;
    if (access & ACCESS_WRITE)
        *entries[level] |= PTE_DIRTY;
    walk->dirty = !!(*entries[level] & PTE_DIRTY);
    fill_walk(walk, address, *entries[level], level);
    return 1;
}

/* The bytes from `address` on that can be reached at once; 0 if none. */
static u64 reach(struct vcpu *vcpu, u64 address, u64 count, u64 access, void **bytes)
{
    struct guest_walk walk;
    u64 error;
    if (!guest_walk(vcpu, address, access, &walk, &error))
        return 0;
    *bytes = from_physical(vcpu->memory + walk.physical);
    u64 rest = PAGE_SIZE - (address & (PAGE_SIZE - 1));
    return count < rest ? count : rest;
}

int guest_read(struct vcpu *vcpu, void *to, u64 from, u64 count, u64 *failed)
{
    while (count) {
        void *bytes;
        u64 part = reach(vcpu, from, count, 0, &bytes);
        if (!part) {
            *failed = from;
            return 0;
        }
        memcpy(to, bytes, part);
        to = (u8 *)to + part;
        from += part;
        count -= part;
    }
    return 1;
}

int guest_write(struct vcpu *vcpu, u64 to, const void *from, u64 count, u64 *failed)
{
    while (count) {
        void *bytes;
        u64 part = reach(vcpu, to, count, ACCESS_WRITE, &bytes);
        if (!part) {
            *failed = to;
            return 0;
        }
        memcpy(bytes, from, part);
        from = (const u8 *)from + part;
        to += part;
        count -= part;
    }
    return 1;
}
