/* fail=panic: the kernel finds that it cannot go on, and says so. */
#include "command_line.h"
#include "failures.h"
#include "print.h"

#define SUPERBLOCK_MAGIC 0xef53

[[gnu::noinline]] static void mount_root(u64 magic) {
    if (magic != SUPERBLOCK_MAGIC) {
        panic("cannot mount the root file system: bad superblock magic 0x%lx", magic);
    }
}

void failure_panic(void) {
    if (command_line_is("fail", "panic")) {
        mount_root(0);
    }
}
