/* What runs at CPL 3. */
#include "layout.h"

    .text
/* entry(n): n system calls, each result the next one's argument; exits with the last. */
    .globl user_system_calls
    .type user_system_calls, @function
user_system_calls:
    movq %rdi, %rbx
    xorl %edi, %edi
1:  movl $CALL_COUNT, %eax
    syscall
    movq %rax, %rdi
    decq %rbx
    jnz 1b
    movl $CALL_EXIT, %eax
    syscall
    .size user_system_calls, . - user_system_calls

/* entry(n, window): n reads from the 512 pages at `window`, never twice in a row from one; exits
 * with a checksum of what was read. */
    .globl user_page_touches
    .type user_page_touches, @function
user_page_touches:
    movq %rdi, %rbx
    xorl %edi, %edi
    xorl %edx, %edx
1:  movl %edx, %eax
    andl $511, %eax
    shll $12, %eax
    rolq $5, %rdi
    xorq (%rsi, %rax), %rdi             /* faults */
    addl $7, %edx
    decq %rbx
    jnz 1b
    movl $CALL_EXIT, %eax
    syscall
    .size user_page_touches, . - user_page_touches
