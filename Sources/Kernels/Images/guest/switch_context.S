/* Switching between kernel stacks, and what a new process's stack returns to the first time. */
    .text

/* void switch_context(u64 *save, u64 load): keep the caller's context at *save, resume `load`.
 * Only what a C call preserves needs to be kept: to its caller this is a function that returns
 * much later. Virtual interrupts are off throughout: the stack in use and `current` disagree. */
    .globl switch_context
    .type switch_context, @function
switch_context:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size switch_context, . - switch_context

/* First code of a forked process: RSP has come to the struct guest_frame at its stack's top. */
    .globl fork_child_return
    .type fork_child_return, @function
fork_child_return:
    jmp return_to_frame
    .size fork_child_return, . - fork_child_return

/* First code of a kernel thread: RBX = its function (struct switch_frame in process.c). RSP is at
 * the frame through which the thread may later leave for user mode, so it is 16-aligned. */
    .globl kernel_thread_start
    .type kernel_thread_start, @function
kernel_thread_start:
    xor %ebp, %ebp
    call *%rbx
    jmp return_to_frame
    .size kernel_thread_start, . - kernel_thread_start
