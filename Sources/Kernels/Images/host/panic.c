/* How a run ends: the reason is stored where the note says, then isa-debug-exit is written. */
#include "panic.h"
#include "console.h"
#include "cpu.h"
#include "strings.h"

char end_reason[256];

[[noreturn]] void panic(const char *text, ...)
{
    interrupts_off();
    __builtin_va_list arguments;
    __builtin_va_start(arguments, text);
    format_list(end_reason, sizeof end_reason, text, arguments);
    __builtin_va_end(arguments);
    print("host panic: %s\n", end_reason);
    end_run(EXIT_HOST_PANIC);
}

[[noreturn]] void end_run(u32 value)
{
    interrupts_off();
    console_drain();
    outl(DEBUG_EXIT_PORT, value);
    /* Without the device the machine simply stops. */
    for (;;)
        __asm__ volatile("cli; hlt");
}
