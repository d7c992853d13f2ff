/* Bytes and NUL-ended strings. The compiler may itself call the mem* functions. */
#include "strings.h"

void *memcpy(void *to, const void *from, u64 count) {
    void *cursor = to;
    __asm__ volatile("rep movsb" : "+D"(cursor), "+S"(from), "+c"(count) : : "memory");
    return to;
}

void *memset(void *to, int value, u64 count) {
    void *cursor = to;
    __asm__ volatile("rep stosb" : "+D"(cursor), "+c"(count) : "a"(value) : "memory");
    return to;
}

void *memmove(void *to, const void *from, u64 count) {
    u8 *target = to;
    const u8 *source = from;
    if (target <= source || target >= source + count) {
        return memcpy(to, from, count);
    }
    while (count-- > 0) {
        target[count] = source[count];
    }
    return to;
}

int memcmp(const void *a, const void *b, u64 count) {
    const u8 *left = a, *right = b;
    for (u64 i = 0; i < count; i++) {
        if (left[i] != right[i]) {
            return left[i] - right[i];
        }
    }
    return 0;
}

u64 strlen(const char *text) {
    u64 count = 0;
    while (text[count] != 0) {
        count++;
    }
    return count;
}

bool strings_equal(const char *a, const char *b) {
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}
