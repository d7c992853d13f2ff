/* Phase 3: a heap that is paged in on demand, shared with a child, shrunk, and grown again. */
#include "program.h"
#include "user_layout.h"

#define HEAP_BYTES_PER_WORK 10240ul
#define WORD_STRIDE 4

static u64 heap_words(u64 work) {
    return (work * HEAP_BYTES_PER_WORK + 65536) / sizeof(u64);
}

static void fill(u64 *heap, u64 words) {
    u64 state = 88172645463325252;
    for (u64 i = 0; i < words; i += WORD_STRIDE) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        heap[i] = state;
    }
}

static u64 sum(const u64 *heap, u64 words) {
    u64 checksum = 0;
    for (u64 i = 0; i < words; i += WORD_STRIDE) {
        checksum = mix(checksum, heap[i]);
    }
    return checksum & 0xffffffff;
}

/* Lends the whole heap to a child, which writes to a part of it. */
static void lend(u64 *heap, u64 words, u64 checksum) {
    s64 id = program_fork("borrower");
    if (id == 0) {
        require(sum(heap, words) == checksum, "a child does not see its parent's heap");
        fill(heap + words / 2, words / 8);
        program_exit(0);
    }
    require(program_wait(id) == 0, "the borrower failed");
    require(sum(heap, words) == checksum, "a heap was changed by a child");
}

static u64 use_heap(u64 work) {
    u64 *heap = (u64 *)USER_HEAP_BASE;
    u64 words = heap_words(work);
    u64 half = words / 2 & ~511ul;
    u64 end = USER_HEAP_BASE + words * sizeof(u64);
    require(program_break(end) == end, "the heap did not grow");
    require(sum(heap, words) == 0, "new heap is not zero");
    fill(heap, words);
    u64 before = sum(heap, words);
    u64 lower = sum(heap, half);
    lend(heap, words, before);
    program_break(USER_HEAP_BASE + half * sizeof(u64));
    program_break(end);
    require(sum(heap, half) == lower, "the heap that stayed was changed");
    require(sum(heap + half, words - half) == 0, "heap that was given back is not zero");
    require(program_break(USER_HEAP_LIMIT + 1) == end, "the heap grew past its limit");
    return before;
}

void phase_heap(u64 work) {
    s64 id = program_fork("heap");
    if (id == 0) {
        program_exit((s64)use_heap(work));
    }
    u64 checksum = (u64)program_wait(id);
    struct output output;
    output.count = 0;
    output_text(&output, "heap: ");
    output_number(&output, heap_words(work) * sizeof(u64));
    output_text(&output, " bytes, checksum ");
    output_hex(&output, checksum);
    output_end_line(&output);
}
