/* The console as a terminal: a line editor that echoes what it takes. Bytes are taken from the host
 * only while a process reads, and echoed then, so the console's text does not depend on when they
 * were typed. */
#include "traps.h"

#define LINE_CAPACITY 128
#define BACKSPACE '\b'
#define DELETE 0x7f
#define KILL_LINE 0x15   /* ^U */

static char line[LINE_CAPACITY];
static u64 line_count;
static char typed[64];   /* taken from the host and not yet edited in */
static u64 typed_count, typed_next;

void console_interrupt(void) {
    schedule_wake_readers();
}

static void echo(const char *bytes, u64 count) {
    hypercall(HYPERCALL_PRINT, (u64)bytes, count, 0);
}

static void erase_last(void) {
    line_count--;
    echo("\b \b", 3);
}

/* Edits one byte in; true if it ended the line. */
static bool edit(char byte) {
    switch (byte) {
    case '\r':
    case '\n':
        line[line_count++] = '\n';
        echo("\n", 1);
        return true;
    case BACKSPACE:
    case DELETE:
        if (line_count > 0) {
            erase_last();
        }
        return false;
    case KILL_LINE:
        while (line_count > 0) {
            erase_last();
        }
        return false;
    default:
        /* One byte is kept for the newline. */
        if ((u8)byte >= ' ' && line_count < LINE_CAPACITY - 1) {
            line[line_count++] = byte;
            echo(&byte, 1);
        }
        return false;
    }
}

/* The next typed byte; blocks until there is one. */
static char next_byte(void) {
    while (typed_next == typed_count) {
        u32 interrupts = interrupts_save();
        s64 count = hypercall(HYPERCALL_CONSOLE_READ, (u64)typed, sizeof(typed), 0);
        typed_next = 0;
        typed_count = count > 0 ? (u64)count : 0;
        if (typed_count == 0) {
            /* A byte that comes from here on raises the console interrupt, which is held until
             * this process sleeps. */
            current->state = PROCESS_READING;
            schedule();
        }
        interrupts_restore(interrupts);
    }
    return typed[typed_next++];
}

u64 console_read_line(char *bytes, u64 capacity) {
    while (!edit(next_byte())) {
    }
    u64 count = line_count < capacity ? line_count : capacity;
    for (u64 i = 0; i < count; i++) {
        bytes[i] = line[i];
    }
    line_count = 0;
    return count;
}
