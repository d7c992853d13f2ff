/* The serial console: a 16550 at 0x3f8, polled both ways. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "paravirt_abi.h"

void console_start(void);
void console_write(const char *bytes, u64 count);
/* A line of the host's own; format() of strings.h. */
void print(const char *text, ...);
/* Waits until the last byte has left the transmitter. */
void console_drain(void);
/* Moves what has been typed into the buffer; called at each tick. Returns the bytes waiting. */
u64 console_poll(void);
u64 console_waiting(void);
/* Takes one byte that console_poll has found; -1 if there is none. */
int console_take(void);

#endif
