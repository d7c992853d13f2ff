/* Shadow page tables. GUEST_ABI.md says why the guest's own are not used. They are filled by page
 * faults and hold nothing that the guest's tables did not allow at the time; a guest says what it
 * takes away by hypercall. Tables below a PML4 belong to one root and one context. */
#include "shadow.h"
#include "cpu.h"
#include "design.h"
#include "guest_memory.h"
#include "memory.h"
#include "panic.h"
#include "per_cpu.h"
#include "vcpu.h"

/* The root in use is never evicted, so that there is always another. */
_Static_assert(SHADOW_ROOTS >= 2, "shadow roots");

#define SHARED_SLOT (GUEST_SHARED_PAGE >> 39 & 511)
#define GUEST_SLOTS SHARED_SLOT /* PML4 slots below it are the guest's */
#define ENTRIES 512
#define LINK (PTE_PRESENT | PTE_WRITABLE | PTE_USER | PTE_ACCESSED)

static u64 *table_of(u64 entry)
{
    return from_physical(entry & PTE_FRAME);
}

static void release_tables(struct shadow *shadow, u64 *table, int level, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        u64 entry = table[i];
        if (!entry)
            continue;
        table[i] = 0;
        if (level > 1 && !(entry & PTE_LARGE)) {
            release_tables(shadow, table_of(entry), level - 1, ENTRIES);
            page_free(table_of(entry));
            shadow->pages--;
        }
    }
}

static void empty_root(struct shadow *shadow, struct shadow_root *root)
{
    release_tables(shadow, root->kernel, 4, GUEST_SLOTS);
#if ROOTS_TWO
    release_tables(shadow, root->user, 4, GUEST_SLOTS);
#endif
}

static void drop_root(struct shadow *shadow, struct shadow_root *root)
{
    empty_root(shadow, root);
    page_free(root->kernel);
#if ROOTS_TWO
    page_free(root->user);
#endif
    *root = (struct shadow_root){.guest_root = root->guest_root, .used = root->used};
}

/* The root chosen longest ago, the one in use excepted; NULL if there is no other. Sequence numbers
 * are all different, so the choice depends on the guest's calls only. */
static struct shadow_root *oldest(struct vcpu *vcpu)
{
    struct shadow_root *found = 0;
    for (int i = 0; i < SHADOW_ROOTS; i++) {
        struct shadow_root *root = &vcpu->guest->shadow.roots[i];
        if (root->kernel && root != vcpu->cpu->root && (!found || root->used < found->used))
            found = root;
    }
    return found;
}

/* The processor may hold translations from tables that have just been freed: reloading CR3 drops
 * them (they are never global; the host's, which are, stay). */
static void forget_translations(void)
{
    write_cr3(read_cr3());
}

static u64 *new_root(struct vcpu *vcpu)
{
    u64 *table = page_alloc();
    while (!table) {
        struct shadow_root *victim = oldest(vcpu);
        if (!victim)
            panic("out of memory for a guest's page tables");
        drop_root(&vcpu->guest->shadow, victim);
        table = page_alloc();
    }
    /* "The Host is always mapped": the two slots are the host's own tables, without the user bit at
     * any level, in every root. Slots of the guest's lie below them, so nothing it maps can be
     * reached from these two, nor they from it. */
    table[DIRECT_SLOT] = host_root[DIRECT_SLOT];
    table[TEXT_SLOT] = host_root[TEXT_SLOT];
    return table;
}

void shadow_start(struct vcpu *vcpu)
{
    struct shadow *shadow = &vcpu->guest->shadow;
    u64 address = GUEST_SHARED_PAGE + vcpu->id * PAGE_SIZE;
    u64 *pointers = page_alloc();
    u64 *directory = page_alloc();
    u64 *table = page_alloc();
    if (!pointers || !directory || !table)
        panic("out of memory for a shared page");
    pointers[address >> 30 & 511] = to_physical(directory) | LINK;
    directory[address >> 21 & 511] = to_physical(table) | LINK;
    table[address >> 12 & 511] =
        to_physical(vcpu->shared) | LINK | PTE_DIRTY | PTE_NO_EXECUTE;
    shadow->shared_tables = pointers;
}

/* A guest root is looked at once, when it enters the cache; a walk never uses its upper slots. */
static void check_hole(struct vcpu *vcpu, u64 guest_root)
{
    const u64 *table = from_physical(vcpu->memory + guest_root);
    for (u64 slot = SHARED_SLOT; slot < ENTRIES; slot++) {
        if (table[slot] & PTE_PRESENT)
            guest_kill(vcpu, "page table entry %x (level 4, slot %u of root %x) maps into the "
                             "host's hole", table[slot], slot, guest_root);
    }
}

static struct shadow_root *find(struct vcpu *vcpu, u64 guest_root)
{
    for (int i = 0; i < SHADOW_ROOTS; i++) {
        struct shadow_root *root = &vcpu->guest->shadow.roots[i];
        if (root->kernel && root->guest_root == guest_root)
            return root;
    }
    return 0;
}

struct shadow_root *shadow_root(struct vcpu *vcpu, u64 guest_root)
{
    struct shadow *shadow = &vcpu->guest->shadow;
    struct shadow_root *root = find(vcpu, guest_root);
    if (!root) {
        check_hole(vcpu, guest_root);
        for (int i = 0; i < SHADOW_ROOTS && !root; i++) {
            if (!shadow->roots[i].kernel)
                root = &shadow->roots[i];
        }
        if (!root) {
            root = oldest(vcpu);
            drop_root(shadow, root);
        }
        root->guest_root = guest_root;
        u64 *kernel = new_root(vcpu);
#if ROOTS_TWO
        /* The shared page, with its hypercall flag, is the guest kernel's alone: were it in the
         * user's root, any process could mark its system calls as hypercalls (H3). */
        root->user = new_root(vcpu);
#elif ROOTS_ONE
        /* One for both, as if the guest's kernel and users were two rings. They are not: both are
         * at CPL 3, and U cannot tell them apart. Users reach the shared page (H3) and every page
         * of the guest kernel's that is in the root (H4). */
#endif
        kernel[SHARED_SLOT] = to_physical(shadow->shared_tables) | LINK;
        root->kernel = kernel;
    }
    root->used = ++shadow->sequence;
    return root;
}

static u64 *new_table(struct vcpu *vcpu)
{
    struct shadow *shadow = &vcpu->guest->shadow;
    u64 *table = shadow->pages < SHADOW_PAGES ? page_alloc() : 0;
    while (!table) {
        struct shadow_root *victim = oldest(vcpu);
        if (!victim)
            return 0;
        drop_root(shadow, victim);
        table = page_alloc();
    }
    shadow->pages++;
    return table;
}

void shadow_fill(struct vcpu *vcpu, u64 address, const struct guest_walk *walk)
{
    struct shadow *shadow = &vcpu->guest->shadow;
    struct shadow_root *root = vcpu->cpu->root;
    /* Every page the guest kernel may touch has the user bit here, because it runs at CPL 3 too. */
#if ROOTS_TWO
    /* Its own pages are kept from its users by not being in their root at all (H4). */
    u64 *table = vcpu->kernel_mode ? root->kernel : root->user;
#elif ROOTS_ONE
    u64 *table = root->kernel;
#endif
    int last = walk->large ? 2 : 1;
    for (int level = 4; level > last; level--) {
        u64 *entry = &table[address >> (12 + 9 * (level - 1)) & 511];
        if (!*entry || (*entry & PTE_LARGE)) {
            u64 *below = new_table(vcpu);
            if (!below) {
                /* Only this root is left and it is full: start it afresh. The guest faults again
                 * and finds room. */
                empty_root(shadow, root);
                forget_translations();
                return;
            }
            *entry = to_physical(below) | LINK;
        }
        table = table_of(*entry);
    }
    u64 *entry = &table[address >> (12 + 9 * (last - 1)) & 511];
    u64 old = *entry;
    /* No global bit, whatever the guest's entry says: a global translation would outlive the switch
     * to another root, or to the host's processes (H11). Writable only once the guest's own entry
     * is dirty, so that the first write comes here and marks it. */
    *entry = (vcpu->memory + walk->page) | PTE_PRESENT | PTE_USER | PTE_ACCESSED
        | (walk->writable && walk->dirty ? PTE_WRITABLE | PTE_DIRTY : 0)
        | (walk->large ? PTE_LARGE : 0) | (walk->executable ? 0 : PTE_NO_EXECUTE);
    if (old && walk->large && !(old & PTE_LARGE)) {
        release_tables(shadow, table_of(old), 1, ENTRIES);
        page_free(table_of(old));
        shadow->pages--;
        forget_translations();
    } else if (old) {
        invalidate_page(address);
    }
}

#if SELECTORS_SWAP_GDT
/* With the GDT swapped under an unchanged IDT the guest kernel cannot have a page fault and live:
 * all that it maps must be there before it is touched. Its users' pages do not exist before they
 * fault, and what a kernel maps after it has loaded the root is not seen: filling ahead only takes
 * the guest as far as the first event that nothing can prevent. Writable entries count as written.
 */
static void prefill_table(struct vcpu *vcpu, u64 table, int level, u64 base, u64 first)
{
    const u64 *entries = from_physical(vcpu->memory + table);
    for (u64 i = first; i < (level == 4 ? (u64)GUEST_SLOTS : ENTRIES); i++) {
        u64 entry = entries[i];
        u64 below = entry & PTE_FRAME;
        u64 address = base | i << (12 + 9 * (level - 1));
        if (!(entry & PTE_PRESENT) || below >= vcpu->memory_size)
            continue;
        if (level > 1 && !(entry & PTE_LARGE)) {
            prefill_table(vcpu, below, level - 1, address, 0);
            continue;
        }
        struct guest_walk walk;
        u64 error;
        if (guest_walk(vcpu, address, entry & PTE_WRITABLE ? ACCESS_WRITE : 0, &walk, &error)
            && !(level == 3 && (entry & PTE_LARGE)))
            shadow_fill(vcpu, address, &walk);
    }
}

void shadow_prefill(struct vcpu *vcpu)
{
    u64 kernel_half = ENTRIES / 2;
    prefill_table(vcpu, vcpu->cpu->root->guest_root, 4, 0xffffUL << 48, kernel_half);
}
#endif

static void forget_in(u64 *table, u64 address)
{
    for (int level = 4; level >= 1; level--) {
        u64 *entry = &table[address >> (12 + 9 * (level - 1)) & 511];
        if (!*entry)
            return;
        if (level == 1 || (*entry & PTE_LARGE)) {
            *entry = 0;
            return;
        }
        table = table_of(*entry);
    }
}

void shadow_forget_page(struct vcpu *vcpu, u64 guest_root, u64 address)
{
    struct shadow_root *root = find(vcpu, guest_root);
    if (!root || (address >> 39 & 511) >= GUEST_SLOTS)
        return;
    forget_in(root->kernel, address);
#if ROOTS_TWO
    forget_in(root->user, address);
#endif
    /* A root that is not loaded has no translations: loading another dropped them. */
    if (root == vcpu->cpu->root)
        invalidate_page(address);
}

void shadow_flush(struct vcpu *vcpu)
{
    struct shadow *shadow = &vcpu->guest->shadow;
    for (int i = 0; i < SHADOW_ROOTS; i++) {
        if (shadow->roots[i].kernel)
            empty_root(shadow, &shadow->roots[i]);
    }
    forget_translations();
}

int shadow_release(struct vcpu *vcpu, u64 guest_root)
{
    struct shadow_root *root = find(vcpu, guest_root);
    if (root == vcpu->cpu->root)
        return 0;
    if (root)
        drop_root(&vcpu->guest->shadow, root);
    return 1;
}
