/* Formatting of kernel messages, and panic. A message is formatted whole and printed with one
 * hypercall, so messages never mix. */
#include "print.h"

#define MESSAGE_CAPACITY 256

struct message {
    char bytes[MESSAGE_CAPACITY];
    u64 count;
};

static void put(struct message *message, char byte) {
    if (message->count < MESSAGE_CAPACITY - 1) {
        message->bytes[message->count++] = byte;
    }
}

static void put_string(struct message *message, const char *text) {
    while (*text != 0) {
        put(message, *text++);
    }
}

static void put_number(struct message *message, u64 value, u64 base) {
    char digits[20];
    int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0) {
        put(message, digits[--count]);
    }
}

static void format_into(struct message *message, const char *format, __builtin_va_list arguments) {
    for (; *format != 0; format++) {
        if (*format != '%') {
            put(message, *format);
            continue;
        }
        format++;
        while (*format == 'l') {
            format++;
        }
        switch (*format) {
        case 's':
            put_string(message, __builtin_va_arg(arguments, const char *));
            break;
        case 'c':
            put(message, (char)__builtin_va_arg(arguments, int));
            break;
        case 'd': {
            s64 value = __builtin_va_arg(arguments, s64);
            if (value < 0) {
                put(message, '-');
            }
            put_number(message, value < 0 ? -(u64)value : (u64)value, 10);
            break;
        }
        case 'u':
            put_number(message, __builtin_va_arg(arguments, u64), 10);
            break;
        case 'x':
            put_number(message, __builtin_va_arg(arguments, u64), 16);
            break;
        default:
            put(message, '%');
            put(message, *format);
        }
    }
    message->bytes[message->count] = 0;
}

void print(const char *format, ...) {
    struct message message = {.count = 0};
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    format_into(&message, format, arguments);
    __builtin_va_end(arguments);
    hypercall(HYPERCALL_PRINT, (u64)message.bytes, message.count, 0);
}

[[noreturn]] void panic(const char *format, ...) {
    struct message message = {.count = 0};
    __builtin_va_list arguments;
    interrupts_disable();
    __builtin_va_start(arguments, format);
    format_into(&message, format, arguments);
    __builtin_va_end(arguments);
    print("guest: panic: %s\n", message.bytes);
    hypercall(HYPERCALL_CRASH, (u64)message.bytes, 0, 0);
    __builtin_trap();
}
