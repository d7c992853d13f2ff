/* Kernel messages and the end of the kernel. */
#ifndef GUEST_PRINT_H
#define GUEST_PRINT_H
#include "hypercall.h"

/* Knows %s %c %ld %lu %lx; at most 255 bytes a message. */
[[gnu::format(printf, 1, 2)]] void print(const char *format, ...);

/* Prints `guest: panic: message`, then tells the host that the guest has crashed. */
[[noreturn, gnu::format(printf, 1, 2)]] void panic(const char *format, ...);
#endif
