/* What the user program's parts share: system calls, output, checksums. */
#include "program.h"

s64 system_call(u64 number, u64 a, u64 b, u64 c) {
    s64 result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

[[noreturn]] void program_exit(s64 status) {
    for (;;) {
        system_call(SYSTEM_EXIT, (u64)status, 0, 0);
    }
}

static void set_name(const char *name) {
    char bytes[16];
    u64 count = 0;
    while (count < sizeof(bytes) - 1 && name[count] != 0) {
        bytes[count] = name[count];
        count++;
    }
    while (count < sizeof(bytes)) {
        bytes[count++] = 0;
    }
    system_call(SYSTEM_SET_NAME, (u64)bytes, 0, 0);
}

s64 program_fork(const char *name) {
    s64 id = system_call(SYSTEM_FORK, 0, 0, 0);
    require(id >= 0, "fork");
    if (id == 0) {
        set_name(name);
    }
    return id;
}

s64 program_wait(s64 id) {
    s64 status = 0;
    require(system_call(SYSTEM_WAIT, (u64)id, (u64)&status, 0) == id, "wait");
    return status;
}

void program_sleep(u64 nanoseconds) {
    system_call(SYSTEM_NANOSLEEP, nanoseconds, 0, 0);
}

s64 program_getpid(void) {
    return system_call(SYSTEM_GETPID, 0, 0, 0);
}

u64 program_break(u64 end) {
    return (u64)system_call(SYSTEM_BRK, end, 0, 0);
}

static void output_byte(struct output *output, char byte) {
    if (output->count < sizeof(output->bytes)) {
        output->bytes[output->count++] = byte;
    }
}

void output_text(struct output *output, const char *text) {
    while (*text != 0) {
        output_byte(output, *text++);
    }
}

static void output_digits(struct output *output, u64 value, u64 base) {
    char digits[20];
    int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0) {
        output_byte(output, digits[--count]);
    }
}

void output_number(struct output *output, u64 value) {
    output_digits(output, value, 10);
}

void output_hex(struct output *output, u64 value) {
    output_text(output, "0x");
    output_digits(output, value, 16);
}

void output_end_line(struct output *output) {
    output_byte(output, '\n');
    system_call(SYSTEM_WRITE, 1, (u64)output->bytes, output->count);
    output->count = 0;
}

void output_line(const char *text) {
    struct output output;
    output.count = 0;
    output_text(&output, text);
    output_end_line(&output);
}

bool text_equal(const char *a, const char *b) {
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

u64 mix(u64 checksum, u64 value) {
    checksum = (checksum ^ value) * 0x100000001b3;
    return checksum ^ checksum >> 29;
}

void require(bool holds, const char *what) {
    if (!holds) {
        struct output output;
        output.count = 0;
        output_text(&output, "FAILED: ");
        output_text(&output, what);
        output_end_line(&output);
        program_exit(-2);
    }
}
