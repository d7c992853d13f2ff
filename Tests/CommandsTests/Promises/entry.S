// A multiboot kernel's way to long mode, the application processors' from real mode, and what an
// exception does to an attempt.
#include "../KernelSupport/trampoline.h"

        .section .multiboot, "a"
        .align 4
        .long 0x1BADB002, 3, -(0x1BADB002 + 3)

        .text
        .code32
        .global start
start:
        movl $stack_top, %esp
        // Four gigabytes mapped to themselves by 2 MiB pages.
        xorl %ecx, %ecx
1:      movl %ecx, %eax
        shll $21, %eax
        orl $0x87, %eax
        movl %eax, directories(,%ecx,8)
        incl %ecx
        cmpl $2048, %ecx
        jb 1b
        movl $directories + 7, %eax
        movl $pointers, %edi
        movl $4, %ecx
2:      movl %eax, (%edi)
        addl $0x1000, %eax
        addl $8, %edi
        loop 2b
        movl $pointers + 7, root
        movl $bootstrap, %esi

        // To ESI in long mode.
to_long_mode:
        lgdt table_pointer
        movl $0x620, %eax               // PAE, OSFXSR, OSXMMEXCPT
        movl %eax, %cr4
        movl $root, %eax
        movl %eax, %cr3
        movl $0xC0000080, %ecx
        rdmsr
        orl $0x101, %eax                // LME, SCE
        wrmsr
        movl $0x80010033, %eax          // PG, WP, NE, ET, MP, PE
        movl %eax, %cr0
        ljmp $8, $3f
        .code64
3:      movl $16, %ecx
        movl %ecx, %ds
        movl %ecx, %es
        movl %ecx, %ss
        lidt gate_pointer
        jmp *%rsi

bootstrap:
        call main
4:      hlt
        jmp 4b

application:
        call application_main
5:      hlt
        jmp 5b

        TRAMPOLINE 0x18, from_real, 31

        .code32
from_real:
        movl $16, %eax
        movl %eax, %ds
        movl %eax, %ss
        movl $0x4000, %eax
        lock xaddl %eax, next_stack
        leal application_stacks + 0x4000(%eax), %esp
        movl $application, %esi
        jmp to_long_mode

        // u32 attempt_call(const void *code, const struct registers *r): calls the code with RAX,
        // RCX, RDX, RBX and RDI as given; 255, or the vector of the exception it raised.
        .code64
        .global attempt_call
attempt_call:
        pushq %rbx
        pushq %rbp
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rdi, %r8
        movq 0(%rsi), %rax
        movq 8(%rsi), %rcx
        movq 16(%rsi), %rdx
        movq 24(%rsi), %rbx
        movq 32(%rsi), %rdi
        movq %rsp, attempt_stack
        call *%r8
        movl $255, %eax
attempt_out:
        movq attempt_stack, %rsp
        movq $0, attempt_stack
        cld
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbp
        popq %rbx
        ret

        // Exceptions: the stubs push the vector, and zero where there is no error code.
        .global stubs
        .align 16
stubs:  .set vector, 0
        .rept 32
        .align 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
        pushq $0
        .endif
        pushq $vector
        jmp exception
        .set vector, vector + 1
        .endr
exception:
        popq %rax
        cmpq $0, attempt_stack
        jne attempt_out
        popq %rsi
        popq %rdx
        movq %rax, %rdi
        call unexpected

        .align 8
table:  .quad 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, 0x00CF9B000000FFFF
table_pointer:
        .word 31
        .quad table
        .align 8
        .global gate_pointer
gate_pointer:
        .word 0xFFF
        .quad gates
        .align 8
attempt_stack:
        .quad 0
next_stack:
        .long 0

        .bss
        .align 4096
        .global root
root:   .skip 0x1000
pointers:
        .skip 0x1000
directories:
        .skip 0x4000
        .skip 0x8000
stack_top:
application_stacks:
        .skip 0x4000 * 8
