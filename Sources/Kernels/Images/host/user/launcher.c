/* The launcher. */
#include "calls.h"
#include "program.h"
[[noreturn]] void launcher_main(void) { say("no lguest yet\n"); leave(1); }
