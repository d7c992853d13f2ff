/* Regions of the user half and the faults that fill them. Nothing is mapped before it is touched:
 * the program's pages are the image's own frames until written to, heap and stack are zero. */
#include "user_space.h"

#include "strings.h"

enum source { SOURCE_IMAGE, SOURCE_ZERO };

struct region {
    u64 start, end;
    u64 image;          /* kernel address of the byte at `start`, for SOURCE_IMAGE */
    enum source source;
    bool writable, executable;
};

/* Kernel addresses of the stored user program, from link.ld. */
extern char user_load[], user_rodata_load[], user_data_load[], user_end_load[];

static struct paging_counts counts;

const struct paging_counts *paging_counts(void) {
    return &counts;
}

static struct region image_region(char *load, char *end) {
    u64 start = USER_BASE + (u64)(load - user_load);
    return (struct region){.start = start,
                           .end = start + (u64)(end - load),
                           .image = (u64)load,
                           .source = SOURCE_IMAGE};
}

/* The region that holds `address`; false if none does. */
static bool find_region(const struct user_space *space, u64 address, struct region *found) {
    struct region regions[5];
    regions[0] = image_region(user_load, user_rodata_load);
    regions[0].executable = true;
    regions[1] = image_region(user_rodata_load, user_data_load);
    regions[2] = image_region(user_data_load, user_end_load);
    regions[2].writable = true;
    regions[3] = (struct region){.start = USER_HEAP_BASE,
                                 .end = (space->heap_end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1),
                                 .source = SOURCE_ZERO,
                                 .writable = true};
    regions[4] = (struct region){.start = USER_STACK_BASE,
                                 .end = USER_STACK_TOP,
                                 .source = SOURCE_ZERO,
                                 .writable = true};
    for (int i = 0; i < 5; i++) {
        if (address >= regions[i].start && address < regions[i].end) {
            *found = regions[i];
            return true;
        }
    }
    return false;
}

bool user_space_create(struct user_space *space) {
    space->root = kernel_space_new_root();
    space->heap_end = USER_HEAP_BASE;
    return space->root != 0;
}

bool user_space_fork(const struct user_space *from, struct user_space *to) {
    if (!user_space_create(to)) {
        return false;
    }
    to->heap_end = from->heap_end;
    if (!page_table_share_user(from->root, to->root)) {
        page_table_release_user(to->root);
        return false;
    }
    return true;
}

void user_space_destroy(struct user_space *space) {
    hypercall(HYPERCALL_RELEASE_PGD, space->root, 0, 0);
    page_table_release_user(space->root);
    space->root = 0;
}

static u64 page_flags(const struct region *region, bool write) {
    u64 flags = PTE_PRESENT | PTE_USER;
    if (write) {
        flags |= PTE_WRITE;
    }
    if (!region->executable) {
        flags |= PTE_NO_EXECUTE;
    }
    return flags;
}

/* A frame of this process's own for a page that is absent: what it must hold at first. */
static u64 new_frame(const struct region *region, u64 page) {
    if (region->source == SOURCE_ZERO) {
        return page_alloc_zeroed();
    }
    u64 frame = page_alloc();
    if (frame != 0) {
        memcpy(direct(frame), (void *)(region->image + page - region->start), PAGE_SIZE);
    }
    return frame;
}

static enum fault_outcome fill(const struct region *region, u64 *entry, u64 page, bool write) {
    u64 frame;
    bool writable = region->writable;
    if (region->source == SOURCE_IMAGE && !write) {
        frame = physical_of((void *)(region->image + page - region->start));
        writable = false;
    } else {
        frame = new_frame(region, page);
    }
    if (frame == 0) {
        return FAULT_NO_MEMORY;
    }
    *entry = frame | page_flags(region, writable);
    if (region->source == SOURCE_IMAGE) {
        counts.from_image++;
    } else {
        counts.zero_filled++;
    }
    return FAULT_FIXED;
}

/* A write to a page that is present and read-only in a writable region: the frame is shared, or
 * was until its other users let go of it. */
static enum fault_outcome end_sharing(const struct region *region, u64 *entry) {
    u64 shared_frame = *entry & PTE_FRAME;
    if (page_references(shared_frame) == 1) {
        *entry = shared_frame | page_flags(region, true);
    } else {
        u64 frame = page_alloc();
        if (frame == 0) {
            return FAULT_NO_MEMORY;
        }
        memcpy(direct(frame), direct(shared_frame), PAGE_SIZE);
        *entry = frame | page_flags(region, true);
        page_release(shared_frame);
    }
    counts.written_after_sharing++;
    return FAULT_FIXED;
}

enum fault_outcome user_space_fault(struct user_space *space, u64 address, enum access access) {
    struct region region;
    bool write = access == ACCESS_WRITE;
    u64 page = address & ~(PAGE_SIZE - 1);
    if (!find_region(space, address, &region) || (write && !region.writable) ||
        (access == ACCESS_EXECUTE && !region.executable)) {
        return FAULT_INVALID;
    }
    u64 *entry = page_table_entry(space->root, page, true);
    if (entry == nullptr) {
        return FAULT_NO_MEMORY;
    }
    enum fault_outcome outcome = FAULT_FIXED;
    if ((*entry & PTE_PRESENT) == 0) {
        /* The host remembers nothing of absent pages: it need not be told that this one is not. */
        outcome = fill(&region, entry, page, write);
    } else {
        if (write && (*entry & PTE_WRITE) == 0) {
            outcome = end_sharing(&region, entry);
        }
        /* Also if the entry allows the access already: then what the host holds is out of date. */
        hypercall(HYPERCALL_INVLPG, page, 0, 0);
    }
    return outcome;
}

u64 user_space_set_break(struct user_space *space, u64 end) {
    if (end < USER_HEAP_BASE || end > USER_HEAP_LIMIT) {
        return space->heap_end;
    }
    u64 first_unused = (end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    for (u64 page = first_unused; page < space->heap_end; page += PAGE_SIZE) {
        u64 *entry = page_table_entry(space->root, page, false);
        if (entry != nullptr && (*entry & PTE_PRESENT) != 0) {
            u64 frame = *entry & PTE_FRAME;
            *entry = 0;
            hypercall(HYPERCALL_INVLPG, page, 0, 0);
            page_release(frame);   /* only now: the host may have let the frame be written */
        }
    }
    space->heap_end = end;
    return end;
}

s64 user_copy(void *to, const void *from, u64 count);

static bool in_user_half(u64 address, u64 count) {
    return address < USER_END && count <= USER_END - address;
}

bool copy_from_user(void *to, u64 from, u64 count) {
    return in_user_half(from, count) && user_copy(to, (const void *)from, count) == 0;
}

bool copy_to_user(u64 to, const void *from, u64 count) {
    return in_user_half(to, count) && user_copy((void *)to, from, count) == 0;
}
