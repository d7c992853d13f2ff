    .text
    .globl start
start:
    xor %ebp, %ebp
    mov $5, %edi
    call outer
hang:
    jmp hang

    .globl stop
stop:
    push %rbp
    mov %rsp, %rbp
    ud2
