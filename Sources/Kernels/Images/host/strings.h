/* Memory and text, for both kernel and launcher-independent use. */
#ifndef STRINGS_H
#define STRINGS_H

#include "paravirt_abi.h"

#define offset_of(type, field) __builtin_offsetof(type, field)

void *memcpy(void *to, const void *from, u64 count);
void *memmove(void *to, const void *from, u64 count);
void *memset(void *to, int value, u64 count);
u64 string_length(const char *text);
int string_starts(const char *text, const char *start);

/* The formats' directives: %s, %c, %u (u64, decimal), %x (u64, hexadecimal with 0x), %%. Every
 * number argument must be 64 bits wide. The result is cut to `capacity` and always NUL-ended. */
void format(char *buffer, u64 capacity, const char *text, ...);
void format_list(char *buffer, u64 capacity, const char *text, __builtin_va_list arguments);

#endif
