/* The guest's first instructions. The host starts the guest here at CPL 3 with RDI = the direct-map
 * address of struct boot_info, RSP = 0, virtual interrupts off, and a page table that maps the
 * direct map (paravirt_abi.h). There is no stack yet and no trap handler: until trap_table_load,
 * any fault is one that the host cannot hand back, and it kills the guest. */
    .section .text.boot, "ax", @progbits
    .globl guest_start
    .type guest_start, @function
guest_start:
    lea boot_stack_top(%rip), %rsp      /* 16-aligned, so `call` leaves what the C ABI expects */
    xor %ebp, %ebp                      /* a stack walk ends here */
    call guest_main                     /* RDI still holds the boot information */
    ud2                                 /* guest_main does not return */
    .size guest_start, . - guest_start

    .section .bss.boot_stack, "aw", @nobits
    .balign 4096
    .type boot_stack, @object
boot_stack:
    .skip 8192
boot_stack_top:
    .size boot_stack, . - boot_stack
