/* Entry, calls, and instruction sequences that break the rules. */
#include "paravirt_abi.h"

    .section .text.start, "ax", @progbits
    .globl start
start:
    lea stack_top(%rip), %rsp
    call hostile_main
    ud2

    .text
    .globl hypercall
hypercall:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    movabs $GUEST_SHARED_PAGE, %r11
    movl $1, SHARED_HYPERCALL_FLAG(%r11)
    syscall
    ret

    .globl unmarked_call
unmarked_call:
    mov %rdi, %rax
    syscall
    ret

    .globl trap_entry
trap_entry:
    mov %rsp, %rbx
    mov %rsp, %rdi
    and $~15, %rsp
    call trap
iret_now:                               /* RBX = frame */
    mov %rbx, %rsp
    mov $HYPERCALL_IRET, %eax
    movabs $GUEST_SHARED_PAGE, %r11
    movl $1, SHARED_HYPERCALL_FLAG(%r11)
    syscall
    ud2

    .globl return_only                      /* a handler that mends nothing */
return_only:
    mov %rsp, %rbx
    jmp iret_now

    .globl return_with_nested_task
return_with_nested_task:                /* back to its caller, by an IRET with NT set */
    mov %rsp, %rcx
    sub $FRAME_SIZE, %rsp
    mov %rcx, FRAME_RSP(%rsp)
    lea 1f(%rip), %rcx
    mov %rcx, FRAME_RIP(%rsp)
    movq $GUEST_VIRTUAL_KERNEL_CS, FRAME_CS(%rsp)
    movq $2, FRAME_RFLAGS(%rsp)
    mov %rbx, FRAME_RBX(%rsp)
    mov %rbp, FRAME_RBP(%rsp)
    mov %r12, FRAME_R12(%rsp)
    mov %r13, FRAME_R13(%rsp)
    mov %r14, FRAME_R14(%rsp)
    mov %r15, FRAME_R15(%rsp)
    movabs $GUEST_SHARED_PAGE, %r11
    pushq $0x4202                       /* NT */
    popfq
    mov $HYPERCALL_IRET, %eax
    movl $1, SHARED_HYPERCALL_FLAG(%r11)
    syscall
    ud2
1:  ret

    .globl call_at_the_edge
call_at_the_edge:                       /* the last two bytes of the lower half hold SYSCALL */
    movabs $GUEST_SHARED_PAGE, %r11
    movl $1, SHARED_HYPERCALL_FLAG(%r11)
    mov $HYPERCALL_TIMER_READ, %eax
    movabs $0x7ffffffffffe, %rcx
    jmp *%rcx

    .globl shut_down_with_registers
shut_down_with_registers:               /* RDI in all registers that the host need not look at */
    mov %rdi, %rbx
    mov %rdi, %rbp
    mov %rdi, %r12
    mov %rdi, %r13
    mov %rdi, %r14
    mov %rdi, %r15
    movabs $GUEST_SHARED_PAGE, %r11
    mov $HYPERCALL_SHUTDOWN, %eax
    movl $1, SHARED_HYPERCALL_FLAG(%r11)
    syscall
    ud2

    .globl fault_on_stack
fault_on_stack:
    mov %rdi, %rsp
    ud2

    .globl go_to_user
go_to_user:                             /* a frame for guest user, all else zero */
    sub $FRAME_SIZE, %rsp
    mov %rdi, FRAME_RIP(%rsp)
    movq $GUEST_VIRTUAL_USER_CS, FRAME_CS(%rsp)
    movq $GUEST_VIRTUAL_USER_SS, FRAME_SS(%rsp)
    movq $0x202, FRAME_RFLAGS(%rsp)
    mov %rsp, %rbx
    jmp iret_now

    .globl forbidden
forbidden:
    lea table(%rip), %rax
    movslq (%rax, %rdi, 4), %rdx
    add %rdx, %rax
    jmp *%rax

    .set count, 0
    .macro SEQUENCE
    .pushsection .rodata.table, "a", @progbits
    .long 9f - table
    .popsection
    .set count, count + 1
9:
    .endm
    .section .rodata.table, "a", @progbits
table:
    .text

    SEQUENCE                            /* privileged */
    cli
    ret
    SEQUENCE
    int $0x80
    ret
    SEQUENCE
    sysenter
    ret
    SEQUENCE
    int3
    ret
    SEQUENCE                            /* NT into the host */
    pushq $0x4202
    popfq
    movabs $GUEST_SHARED_PAGE, %r11
    movl $1, SHARED_HYPERCALL_FLAG(%r11)
    mov $HYPERCALL_YIELD, %eax
    syscall
    ret
    SEQUENCE                            /* TF */
    pushq $0x302
    popfq
    nop
    ret
    SEQUENCE                            /* TF held back by MOV SS until after SYSCALL */
    pushq $0x302
    popfq
    mov $0x8b, %eax
    mov %eax, %ss
    syscall
    ret
    SEQUENCE                            /* AC */
    pushq $0x40202
    popfq
    ret
    SEQUENCE                            /* DF into the host */
    std
    movabs $GUEST_SHARED_PAGE, %r11
    movl $1, SHARED_HYPERCALL_FLAG(%r11)
    mov $HYPERCALL_TIMER_READ, %eax
    syscall
    cld
    ret
    SEQUENCE                            /* selectors of others */
    mov $0x2b, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    ret
    SEQUENCE
    mov $0x7b, %eax
    mov %eax, %gs
    ret
    SEQUENCE
    mov $0x40, %eax
    mov %eax, %fs
    ret
    SEQUENCE                            /* 32-bit code at 0x200000: SYSCALL, INT 0x80, SYSENTER */
    pushq $0x23
    pushq $0x200000
    lretq
    SEQUENCE                            /* stacks */
    movabs $0xffff810000000000, %rsp
    ud2
    SEQUENCE
    mov $1, %esp
    ud2
    SEQUENCE
    movabs $0x8000000000000000, %rsp
    push %rax
    ret
    SEQUENCE                            /* the host's memory */
    movabs $0xffff810000200000, %rax
    mov (%rax), %rbx
    ret
    SEQUENCE
    movabs $0xffffffff80200000, %rax
    jmp *%rax
    SEQUENCE
    fld1
    fstp %st
    ret

    .section .rodata
    .balign 4
    .globl forbidden_count
forbidden_count:
    .long count

    .section .bss
    .balign 4096
    .skip 16384
stack_top:
