/* Guest-physical frames: a count of references each, a list of freed ones, and a mark below which
 * all have been handed out once. Interrupt handlers do not allocate. */
#include "memory.h"
#include "print.h"
#include "strings.h"

static u32 *references;   /* one a frame of all memory */
static u64 first_frame;   /* the first that this allocator owns */
static u64 frame_count;   /* frames of all memory */
static u64 next_fresh;    /* the lowest frame never handed out */
static u64 free_list;     /* physical address of a freed frame, its first word linking on, or 0 */
static u64 in_use;

void page_alloc_init(u64 free_start, u64 memory_size) {
    frame_count = memory_size / PAGE_SIZE;
    references = direct((free_start + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));
    u64 table_bytes = frame_count * sizeof(*references);
    memset(references, 0, table_bytes);
    first_frame = (physical_of(references) + table_bytes + PAGE_SIZE - 1) / PAGE_SIZE;
    next_fresh = first_frame;
    if (first_frame >= frame_count) {
        panic("%lu bytes of memory are too few", memory_size);
    }
}

u64 page_alloc(void) {
    u64 physical = free_list;
    if (physical != 0) {
        free_list = *(u64 *)direct(physical);
    } else if (next_fresh < frame_count) {
        physical = next_fresh++ * PAGE_SIZE;
    } else {
        return 0;
    }
    references[physical / PAGE_SIZE] = 1;
    in_use++;
    return physical;
}

u64 page_alloc_zeroed(void) {
    u64 physical = page_alloc();
    if (physical != 0) {
        u64 *cursor = direct(physical);
        u64 count = PAGE_SIZE / sizeof(u64);
        __asm__ volatile("rep stosq" : "+D"(cursor), "+c"(count) : "a"(0) : "memory");
    }
    return physical;
}

void page_reference(u64 physical) {
    if (physical / PAGE_SIZE >= first_frame) {
        references[physical / PAGE_SIZE]++;
    }
}

void page_release(u64 physical) {
    u64 frame = physical / PAGE_SIZE;
    if (frame < first_frame) {
        return;
    }
    if (frame >= frame_count || references[frame] == 0) {
        panic("frame 0x%lx released but not in use", physical);
    }
    references[frame]--;
    if (references[frame] == 0) {
        *(u64 *)direct(physical) = free_list;
        free_list = physical;
        in_use--;
    }
}

u32 page_references(u64 physical) {
    u64 frame = physical / PAGE_SIZE;
    return frame < first_frame ? 2 : references[frame];
}

u64 pages_in_use(void) {
    return in_use;
}
