/* First instruction of the user program, at USER_BASE: RSP = USER_STACK_TOP, an empty stack. */
    .section .text.program_start, "ax", @progbits
    .globl program_start
    .type program_start, @function
program_start:
    xor %ebp, %ebp                      /* a stack walk ends here */
    call program_main
    mov %rax, %rdi
    call program_exit
    ud2
    .size program_start, . - program_start
