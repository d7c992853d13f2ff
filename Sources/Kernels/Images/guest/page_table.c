/* Walks and copies of four-level page tables in guest memory. The processor never uses them: the
 * host does, and builds its own from them. It must be told of every permission taken away. */
#include "memory.h"

#define ENTRIES 512
#define TOP_LEVEL 4
#define USER_TOP_ENTRIES 256
#define FLUSH_THRESHOLD 64

struct share {
    u64 root;              /* whose pages lose write permission */
    u64 write_protected;   /* how many have */
};

static u64 index_at(u64 address, int level) {
    return address >> (12 + 9 * (level - 1)) & (ENTRIES - 1);
}

u64 *page_table_entry(u64 root, u64 address, bool create) {
    u64 *table = direct(root);
    for (int level = TOP_LEVEL; level > 1; level--) {
        u64 *entry = &table[index_at(address, level)];
        if ((*entry & PTE_PRESENT) == 0) {
            u64 below = create ? page_alloc_zeroed() : 0;
            if (below == 0) {
                return nullptr;
            }
            /* Permissions are the last level's affair. */
            *entry = below | PTE_PRESENT | PTE_WRITE | PTE_USER;
        } else if ((*entry & PTE_LARGE) != 0) {
            return nullptr;
        }
        table = direct(*entry & PTE_FRAME);
    }
    return &table[index_at(address, 1)];
}

/* Takes write permission from the page at `address` of `root`. Up to a number of pages the host is
 * told of each; beyond, the caller has it forget everything, which costs it about as much. */
static void write_protect(struct share *share, u64 *entry, u64 address) {
    *entry &= ~PTE_WRITE;
    if (share->write_protected++ < FLUSH_THRESHOLD) {
        hypercall(HYPERCALL_SET_PTE, share->root, address, 0);
    }
}

static bool share_level(struct share *share, u64 *from, u64 *to, int level, u64 base) {
    u64 count = level == TOP_LEVEL ? USER_TOP_ENTRIES : ENTRIES;
    for (u64 i = 0; i < count; i++) {
        if ((from[i] & PTE_PRESENT) == 0) {
            continue;
        }
        u64 address = base | i << (12 + 9 * (level - 1));
        if (level == 1) {
            /* The next write on either side faults and decides by the count who copies. */
            if ((from[i] & PTE_WRITE) != 0) {
                write_protect(share, &from[i], address);
            }
            to[i] = from[i];
            page_reference(from[i] & PTE_FRAME);
            continue;
        }
        u64 below = page_alloc_zeroed();
        if (below == 0) {
            return false;
        }
        to[i] = below | (from[i] & ~PTE_FRAME);
        if (!share_level(share, direct(from[i] & PTE_FRAME), direct(below), level - 1, address)) {
            return false;
        }
    }
    return true;
}

bool page_table_share_user(u64 from, u64 to) {
    struct share share = {.root = from, .write_protected = 0};
    bool complete = share_level(&share, direct(from), direct(to), TOP_LEVEL, 0);
    if (share.write_protected > FLUSH_THRESHOLD) {
        hypercall(HYPERCALL_FLUSH_TLB, 0, 0, 0);
    }
    return complete;
}

static void release_level(u64 *table, int level, u64 count) {
    for (u64 i = 0; i < count; i++) {
        if ((table[i] & PTE_PRESENT) == 0) {
            continue;
        }
        u64 below = table[i] & PTE_FRAME;
        if (level > 1) {
            release_level(direct(below), level - 1, ENTRIES);
        }
        page_release(below);
    }
}

void page_table_release_user(u64 root) {
    release_level(direct(root), TOP_LEVEL, USER_TOP_ENTRIES);
    page_release(root);
}
