/* What the kernel and its ordinary processes agree on. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "paravirt_abi.h"

/* Read-only in every process, at PROGRAM_ARGUMENTS. */
struct program_arguments {
    u64 number;      /* worker or guest, from 0 */
    u64 rounds;      /* workers: rounds of work */
    u64 image;       /* launchers: where the guest's image is in this process, and its bytes */
    u64 image_size;
    u64 memory;      /* launchers: where guest-physical 0 is in this process, and its bytes */
    u64 memory_size;
    u64 tick_cycles;
    char command_line[1024];
};

#define PROGRAM_ARGUMENTS ((const struct program_arguments *)0x700000)
#define PROGRAM_HEAP 0x600000UL
#define PROGRAM_HEAP_END 0x640000UL

#endif
