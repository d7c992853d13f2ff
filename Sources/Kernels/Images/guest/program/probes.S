#include "system_call_numbers.h"

/* Functions that fault at their only effective instruction, without a stack frame: whoever handles
 * the fault can leave them by popping their return address. */
    .macro probe name:req, code:vararg
    .globl \name
    .type \name, @function
\name:
    \code
    ret
    .size \name, . - \name
    .endm

    .text
    probe probe_read, mov (%rdi), %rax
    probe probe_write, mov %rax, (%rdi)
    probe probe_undefined, ud2
    probe probe_privileged, hlt

/* A system call with the number and the mark of the hypercall TIMER_READ. Its result is the host's
 * count of ticks if the host takes it for one, else the guest kernel's refusal; the store faults
 * where the shared page is out of a process's reach. */
    .globl probe_hypercall
    .type probe_hypercall, @function
probe_hypercall:
    mov $HYPERCALL_TIMER_READ, %eax
    movabs $GUEST_SHARED_PAGE, %rdx
    movl $1, SHARED_HYPERCALL_FLAG(%rdx)
    syscall
    ret
    .size probe_hypercall, . - probe_hypercall

    .globl probe_divide
    .type probe_divide, @function
probe_divide:
    xor %edx, %edx
    mov %edi, %ecx
    mov $7, %eax
    div %ecx
    ret
    .size probe_divide, . - probe_divide

/* Where a fault handler returns to: RSP points past its return address, at the context. */
    .globl program_fault_return
    .type program_fault_return, @function
program_fault_return:
    mov %rsp, %rdi
    mov $SYSTEM_FAULT_RETURN, %eax
    syscall
    ud2
    .size program_fault_return, . - program_fault_return
