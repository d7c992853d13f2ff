/* A guest that breaks the rules, to see that only it suffers. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "paravirt_abi.h"

#define AT(physical) (GUEST_PAGE_OFFSET + (physical))
#define ROOT 0x2000UL /* the initial root, where the launcher puts it */

/* entry.S */
s64 hypercall(u64 number, u64 a, u64 b, u64 c);
s64 unmarked_call(u64 number); /* SYSCALL without the flag */
void trap_entry(void);
/* One of the instruction sequences that a guest ought not to run. */
void forbidden(u64 which);
extern const u32 forbidden_count;
void return_with_nested_task(void);
void call_at_the_edge(void);
void fault_on_stack(u64 rsp);
void shut_down_with_registers(u64 value);
void go_to_user(u64 rip);

/* attacks.c: a single attack by name; 0 if there is none of that name. */
int attack(const char *name);
void attack_trap(struct guest_frame *frame);

/* main.c */
void say(const char *text);
void say_number(const char *text, u64 number);

#endif
