/* The serial console. */
#include "console.h"
#include "cpu.h"
#include "strings.h"

#define PORT 0x3f8
#define LINE_STATUS (PORT + 5)
#define DATA_READY 0x01
#define TRANSMITTER_FREE 0x20
#define TRANSMITTER_EMPTY 0x40
#define INPUT_SIZE 256

static u8 input[INPUT_SIZE];
static u32 input_start;
static u32 input_count;

void console_start(void)
{
    outb(PORT + 1, 0);    /* no interrupts: the console is polled */
    outb(PORT + 3, 0x80); /* divisor latch */
    outb(PORT + 0, 1);    /* 115200 */
    outb(PORT + 1, 0);
    outb(PORT + 3, 0x03); /* 8 bits, no parity, 1 stop bit */
    /* The FIFOs stay off: turning them on empties them, and what is typed may be on its way. A byte
     * a poll is enough. */
    outb(PORT + 4, 0x03); /* DTR, RTS */
}

void console_write(const char *bytes, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        while (!(inb(LINE_STATUS) & TRANSMITTER_FREE))
            ;
        outb(PORT, (u8)bytes[i]);
    }
}

void print(const char *text, ...)
{
    char line[512];
    __builtin_va_list arguments;
    __builtin_va_start(arguments, text);
    format_list(line, sizeof line, text, arguments);
    __builtin_va_end(arguments);
    console_write(line, string_length(line));
}

void console_drain(void)
{
    while (!(inb(LINE_STATUS) & TRANSMITTER_EMPTY))
        ;
}

u64 console_poll(void)
{
    while (input_count < INPUT_SIZE && (inb(LINE_STATUS) & DATA_READY)) {
        input[(input_start + input_count) % INPUT_SIZE] = inb(PORT);
        input_count++;
    }
    return input_count;
}

u64 console_waiting(void)
{
    return input_count;
}

int console_take(void)
{
    if (!input_count)
        return -1;
    u8 byte = input[input_start];
    input_start = (input_start + 1) % INPUT_SIZE;
    input_count--;
    return byte;
}
