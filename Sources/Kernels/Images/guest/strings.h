/* Bytes and NUL-ended strings. */
#ifndef GUEST_STRINGS_H
#define GUEST_STRINGS_H
#include "hypercall.h"

void *memcpy(void *to, const void *from, u64 count);
void *memset(void *to, int value, u64 count);
int memcmp(const void *a, const void *b, u64 count);
void *memmove(void *to, const void *from, u64 count);
u64 strlen(const char *text);
bool strings_equal(const char *a, const char *b);
#endif
