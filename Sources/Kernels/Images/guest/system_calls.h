/* System calls, kernel side. */
#ifndef GUEST_SYSTEM_CALLS_H
#define GUEST_SYSTEM_CALLS_H
#include "traps.h"

void system_call_entry(void);
u64 system_calls_made(void);
#endif
