/* Where a guest user's SYSCALL enters the guest kernel: on the stack of SET_STACK, below which the
 * host has stored the user's registers as a struct guest_frame. RCX holds this entry's address and
 * not the user's RIP, which SYSCALL put there: that one is in the frame, at FRAME_RCX and at
 * FRAME_RIP alike, as the RFC says ("the guest will need to read the %rcx that is stored on the
 * stack"). Virtual interrupts are off. Every user register is in the frame: none is saved here. */
#include "paravirt_abi.h"

    .text
    .globl system_call_entry
    .type system_call_entry, @function
system_call_entry:
    cld                                 /* the user may have set DF */
    mov %rsp, %rbx                      /* the frame; RBX survives the call */
    xor %ebp, %ebp                      /* a kernel stack walk ends here ... */
    pushq FRAME_RCX(%rbx)               /* ... with the user's RIP as the last return address */
    pushq %rbp
    mov %rsp, %rbp
    mov %rbx, %rdi
    call system_call_dispatch           /* stores the result in the frame's RAX */
    mov %rbx, %rsp
    jmp return_to_frame
    .size system_call_entry, . - system_call_entry
