/* System calls of the host, seen from its processes. */
#ifndef CALLS_H
#define CALLS_H

#include "layout.h"

s64 host_call(u64 number, u64 a, u64 b, u64 c);

static inline u64 text_length(const char *text)
{
    u64 length = 0;
    while (text[length])
        length++;
    return length;
}

static inline void say(const char *text)
{
    host_call(SYSCALL_WRITE, 1, (u64)text, text_length(text));
}

[[noreturn]] static inline void leave(u64 code)
{
    host_call(SYSCALL_EXIT, code, 0, 0);
    __builtin_unreachable();
}

#endif
