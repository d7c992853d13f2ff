/* Phase 2: fork and copy-on-write. Parent, child and now and then a grandchild write to the same
 * addresses; each must see only its own writes and, before them, its parent's. */
#include "program.h"

#define PAGES 8
#define WORDS_PER_PAGE 512

static u64 field[PAGES * WORDS_PER_PAGE];

/* One word in eight of every page: enough to touch it all over. */
static void write_pattern(u64 seed) {
    for (u64 i = 0; i < PAGES * WORDS_PER_PAGE; i += 8) {
        field[i] = seed * 0x9e3779b97f4a7c15 + i;
    }
}

static u64 check_pattern(u64 seed, const char *what) {
    u64 checksum = 0;
    for (u64 i = 0; i < PAGES * WORDS_PER_PAGE; i += 8) {
        require(field[i] == seed * 0x9e3779b97f4a7c15 + i, what);
        checksum = mix(checksum, field[i]);
    }
    return checksum & 0xffffffff;
}

static u64 child(u64 seed, u64 depth) {
    check_pattern(seed, "a child does not see what its parent wrote");
    write_pattern(seed + 1);
    if (depth > 0) {
        s64 grandchild = program_fork("grandchild");
        if (grandchild == 0) {
            program_exit((s64)child(seed + 1, depth - 1));
        }
        program_wait(grandchild);
    }
    return check_pattern(seed + 1, "a child's memory was changed by another process");
}

void phase_fork(u64 work) {
    u64 rounds = work / 2 + 1;
    u64 checksum = 0;
    for (u64 round = 0; round < rounds; round++) {
        write_pattern(round * 100);
        s64 id = program_fork("child");
        if (id == 0) {
            program_exit((s64)child(round * 100, round % 5 == 4 ? 2 : 0));
        }
        write_pattern(round * 100 + 50);   /* while the child reads and writes */
        checksum = mix(checksum, (u64)program_wait(id));
        checksum = mix(checksum, check_pattern(round * 100 + 50, "a parent's memory was changed"));
    }
    struct output output;
    output.count = 0;
    output_text(&output, "fork: ");
    output_number(&output, rounds);
    output_text(&output, " rounds, checksum ");
    output_hex(&output, checksum);
    output_end_line(&output);
}
