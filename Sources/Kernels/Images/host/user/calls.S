/* First instructions of the host's processes, and their system calls: number in RAX, arguments in
 * RDI RSI RDX, as C passes them one place further on. */
#include "layout.h"

    .section .text.user_start, "ax", @progbits
    .globl worker_start
    .type worker_start, @function
worker_start:
    xorl %ebp, %ebp
    call worker_main
    ud2
    .size worker_start, . - worker_start

    .globl launcher_start
    .type launcher_start, @function
launcher_start:
    xorl %ebp, %ebp
    call launcher_main
    ud2
    .size launcher_start, . - launcher_start

    .text
/* s64 host_call(u64 number, u64 a, u64 b, u64 c) */
    .globl host_call
    .type host_call, @function
host_call:
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    syscall
    ret
    .size host_call, . - host_call
