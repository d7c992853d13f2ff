/* Copies between kernel and user memory that survive a bad user address. */
    .text

/* s64 user_copy(void *to, const void *from, u64 count) -> 0, or -1 if a page could not be had.
 * A page fault between user_copy_begin and user_copy_end that paging cannot resolve makes
 * page_fault continue at user_copy_failed; the stack is the same at all these points. */
    .globl user_copy
    .type user_copy, @function
user_copy:
    mov %rdx, %rcx
    .globl user_copy_begin
user_copy_begin:
    rep movsb
    .globl user_copy_end
user_copy_end:
    xor %eax, %eax
    ret
    .globl user_copy_failed
user_copy_failed:
    mov $-1, %rax
    ret
    .size user_copy, . - user_copy
