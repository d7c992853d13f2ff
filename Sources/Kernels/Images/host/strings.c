/* Memory and text. */
#include "strings.h"

void *memcpy(void *to, const void *from, u64 count)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return start;
}

void *memmove(void *to, const void *from, u64 count)
{
    if ((u64)to <= (u64)from || (u64)to >= (u64)from + count)
        return memcpy(to, from, count);
    char *target = (char *)to + count - 1;
    const char *source = (const char *)from + count - 1;
    /* Backwards: the direction flag is clear wherever C runs, and cleared again here. */
    __asm__ volatile("std; rep movsb; cld" : "+D"(target), "+S"(source), "+c"(count) : : "memory");
    return to;
}

void *memset(void *to, int value, u64 count)
{
    void *start = to;
    if (((u64)to | count) & 7) {
        __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
        return start;
    }
    u64 words = count / 8;
    u64 pattern = (u64)(u8)value * 0x0101010101010101;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    return start;
}

u64 string_length(const char *text)
{
    u64 length = 0;
    while (text[length])
        length++;
    return length;
}

int string_starts(const char *text, const char *start)
{
    while (*start) {
        if (*text++ != *start++)
            return 0;
    }
    return 1;
}

struct sink {
    char *buffer;
    u64 capacity;
    u64 used;
};

static void put(struct sink *sink, char byte)
{
    if (sink->used + 1 < sink->capacity)
        sink->buffer[sink->used++] = byte;
}

static void put_number(struct sink *sink, u64 value, u64 base)
{
    char digits[24];
    u64 count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count)
        put(sink, digits[--count]);
}

void format_list(char *buffer, u64 capacity, const char *text, __builtin_va_list arguments)
{
    struct sink sink = {buffer, capacity, 0};
    for (; *text; text++) {
        if (*text != '%') {
            put(&sink, *text);
            continue;
        }
        switch (*++text) {
        case 's':
            for (const char *s = __builtin_va_arg(arguments, const char *); *s; s++)
                put(&sink, *s);
            break;
        case 'c':
            put(&sink, (char)__builtin_va_arg(arguments, u64));
            break;
        case 'u':
            put_number(&sink, __builtin_va_arg(arguments, u64), 10);
            break;
        case 'x':
            put(&sink, '0');
            put(&sink, 'x');
            put_number(&sink, __builtin_va_arg(arguments, u64), 16);
            break;
        default:
            put(&sink, *text);
        }
    }
    buffer[sink.used] = 0;
}

void format(char *buffer, u64 capacity, const char *text, ...)
{
    __builtin_va_list arguments;
    __builtin_va_start(arguments, text);
    format_list(buffer, capacity, text, arguments);
    __builtin_va_end(arguments);
}
