/* Where exceptions and virtual interrupts enter the guest kernel. The host has stored all of the
 * interrupted context in the struct guest_frame at RSP (16-aligned), so every register is free;
 * RCX holds this address, as the RFC says, because the host comes by SYSRET. Virtual interrupts
 * are off. */
#include "paravirt_abi.h"

    .text
    .globl trap_entry
    .type trap_entry, @function
trap_entry:
    cld                                 /* C code relies on it; the user may have set DF */
    mov %rsp, %rbx                      /* the frame; RBX survives the call below */
    testb $3, FRAME_CS(%rbx)            /* virtual CS: the low bits are 3 for guest user */
    jz 1f
    xor %ebp, %ebp                      /* a kernel stack walk must not follow the user's RBP */
1:  pushq FRAME_RIP(%rbx)               /* with RBP, a call frame that continues the walk in the */
    pushq %rbp                          /* interrupted kernel function; RSP stays 16-aligned */
    mov %rsp, %rbp
    mov %rbx, %rdi
    call trap_dispatch                  /* returns with virtual interrupts off */
    mov %rbx, %rsp
    jmp return_to_frame
    .size trap_entry, . - trap_entry
