/* How a run ends. */
#ifndef PANIC_H
#define PANIC_H

#include "paravirt_abi.h"

/* The outcome of the whole run, for the observer and the last line. */
extern char end_reason[256];

/* The host cannot go on: prints "host panic: ...", records it as the reason, and ends the run. */
[[noreturn]] void panic(const char *text, ...);
/* Ends the run with an isa-debug-exit value; end_reason is set. */
[[noreturn]] void end_run(u32 value);

#endif
