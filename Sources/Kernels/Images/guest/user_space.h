/* The user half of a process's address space: regions, demand paging, copy-on-write. */
#ifndef GUEST_USER_SPACE_H
#define GUEST_USER_SPACE_H
#include "memory.h"
#include "user_layout.h"

struct user_space {
    u64 root;       /* physical address of the PML4 */
    u64 heap_end;   /* the break */
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE };

/* False if memory is exhausted. */
bool user_space_create(struct user_space *space);
/* A copy that shares every frame until one side writes. `from` must be the current space. */
bool user_space_fork(const struct user_space *from, struct user_space *to);
/* Frees everything. No VCPU may be using it. */
void user_space_destroy(struct user_space *space);

enum fault_outcome { FAULT_FIXED, FAULT_INVALID, FAULT_NO_MEMORY };
/* Makes one page of the current space accessible, if the regions allow that access. */
enum fault_outcome user_space_fault(struct user_space *space, u64 address, enum access access);

/* Moves the break of the current space to `end`; the new break, unchanged if that is refused. */
u64 user_space_set_break(struct user_space *space, u64 end);

/* Copies from or to the current user space; false if any of it is not there. */
bool copy_from_user(void *to, u64 from, u64 count);
bool copy_to_user(u64 to, const void *from, u64 count);

/* Pages filled on demand and pages whose sharing a write ended, since boot. */
struct paging_counts {
    u64 from_image, zero_filled, written_after_sharing;
};
const struct paging_counts *paging_counts(void);
#endif
