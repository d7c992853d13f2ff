/* The user program: one image, whose processes are told apart by the function they run. Nothing
 * here may use the kernel's functions or data, nor anything that makes the compiler call memcpy. */
#ifndef GUEST_PROGRAM_H
#define GUEST_PROGRAM_H
#include "system_call_numbers.h"
#include "user_fault.h"

#pragma GCC visibility push(hidden)

/* program/library.c: system calls */
s64 system_call(u64 number, u64 a, u64 b, u64 c);
[[noreturn]] void program_exit(s64 status);
s64 program_fork(const char *name);
s64 program_wait(s64 id);             /* the child's exit status */
void program_sleep(u64 nanoseconds);
s64 program_getpid(void);
u64 program_break(u64 end);

/* A line of output, built piece by piece and written with one system call. */
struct output {
    char bytes[160];
    u64 count;
};
void output_text(struct output *output, const char *text);
void output_number(struct output *output, u64 value);
void output_hex(struct output *output, u64 value);
void output_end_line(struct output *output);
void output_line(const char *text);   /* a whole line */
bool text_equal(const char *a, const char *b);

/* Mixes `value` into a checksum. */
u64 mix(u64 checksum, u64 value);

/* Ends the process loudly if something that must hold does not. */
void require(bool holds, const char *what);

/* The workload's phases; `work` is its size. Each prints its results in a fixed order. */
void phase_system_calls(u64 work);
void phase_fork(u64 work);
void phase_heap(u64 work);
void phase_sleep(u64 work);
void phase_faults(u64 work);
void run_workload(u64 work);
void fault_once(void);                /* forks a process that is killed for a fault */

/* What a process can do to its kernel (probe= on the command line). */
void run_probe(enum probe probe);

[[noreturn]] void run_shell(void);
#endif
