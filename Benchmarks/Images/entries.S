/* Ways into the kernel: 64 interrupt vectors and SYSCALL; and the way to user code and back. */
#include "layout.h"

    .text
/* One stub a vector, 16 bytes each, leaving (error code, vector) on the stack in every case. */
    .globl vector_stubs
    .balign 16
vector_stubs:
    .set vector, 0
    .rept VECTOR_COUNT
    .balign 16
    .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17)
    .else
    pushq $0
    .endif
    pushq $vector
    jmp interrupt_common
    .set vector, vector + 1
    .endr

    .type interrupt_common, @function
interrupt_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    cld
    movq 72(%rsp), %rdi                 /* vector */
    movq 88(%rsp), %rsi                 /* RIP */
    subq $8, %rsp                       /* 5 + 2 + 9 quadwords: align for the call */
    call interrupt
    addq $8, %rsp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq
    .size interrupt_common, . - interrupt_common

/* SYSCALL, as a kernel takes it: per-processor data through GS, the user's stack kept there. */
    .globl system_call_entry
    .type system_call_entry, @function
system_call_entry:
    swapgs
    movq %rsp, %gs:PROCESSOR_USER_RSP
    movq %gs:PROCESSOR_KERNEL_RSP, %rsp
    pushq %gs:PROCESSOR_USER_RSP
    pushq %r11
    pushq %rcx
    cmpl $CALL_COUNT, %eax
    jne 1f
    incq %gs:PROCESSOR_CALLS
    leaq (%rdi, %rdi, 2), %rax
    addq %gs:PROCESSOR_CALLS, %rax
    popq %rcx
    popq %r11
    popq %rsp
    swapgs
    sysretq
1:  /* CALL_EXIT: back to the caller of run_user, whose stack lies under this one. */
    swapgs
    movq %rdi, %rax
    movq run_user_rsp(%rip), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .size system_call_entry, . - system_call_entry

/* u64 run_user(void *entry, u64 a, u64 b): runs entry(a, b) at CPL 3 until CALL_EXIT. */
    .globl run_user
    .type run_user, @function
run_user:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, run_user_rsp(%rip)
    movq %rdi, %rcx                     /* SYSRET's RIP */
    movq %rsi, %rdi
    movq %rdx, %rsi
    movl $0x202, %r11d
    leaq user_stack_top(%rip), %rsp
    sysretq
    .size run_user, . - run_user

    .bss
    .balign 16
run_user_rsp:
    .skip 16
    .skip 4096
user_stack_top:
