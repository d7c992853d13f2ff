        // -- Data -----------------------------------------------------------------------------

        .balign 16
home_gdt:
        .quad 0
        .quad 0x00CF9B000000FFFF        // the cases' tables begin with the same three
        .quad 0x00CF93000000FFFF
        .quad 0x00AF9B000000FFFF
        .quad 0x00009B000000FFFF
        .quad 0x000093000000FFFF
home_task:
        .quad 0x0000890000000067
home_gdt_end:
        .balign 4
        .word 0
home_gdtr:
        .word home_gdt_end - home_gdt - 1
        .quad home_gdt
home_idtr:
        .word 0
        .quad 0
home_data:
        .long HOME_DATA
        .balign 8
far_compatible:
        .long compatible
        .word HOME_CODE
        .balign 4
msr_numbers:
        .long 0xC0000100, 0xC0000101, 0xC0000102, 0xC0000081, 0xC0000082, 0xC0000083, 0xC0000084
        .long 0x174, 0x175, 0x176
msr_end:
slot_places:
        .long PML4 + 257 * 8, PDPT + 8, PD_TEST
        .long PT_TEST + 0x10 * 8, PT_TEST + 0x11 * 8, PT_TEST + 0x12 * 8, PT_TEST + 0x13 * 8
        .long PT_LOW + 0x10 * 8, PT_LOW + 0x11 * 8, PT_LOW + 0x12 * 8, PT_LOW + 0x13 * 8
slot_places32:
        .long unused, unused, PD32 + 0x100 * 4
        .long PT32_TEST + 0x10 * 4, PT32_TEST + 0x11 * 4, PT32_TEST + 0x12 * 4
        .long PT32_TEST + 0x13 * 4
        .long PT32_LOW + 0x10 * 4, PT32_LOW + 0x11 * 4, PT32_LOW + 0x12 * 4, PT32_LOW + 0x13 * 4
unused: .quad 0

        .balign 4096
        // The head of a result; see `Layout.swift`.
saved_status:
        .long 0                         // 000
saved_vector:
        .long 0
saved_bits:
        .long 0
        .long 0
saved:  .fill 16, 8, 0                  // 010
saved_ds:
        .quad 0                         // 090
saved_es:
        .quad 0
saved_fs:
        .quad 0
saved_gs:
        .quad 0
saved_ss:
        .quad 0
saved_cs:
        .quad 0
saved_cr0:
        .quad 0                         // 0C0
saved_cr2:
        .quad 0
saved_cr3:
        .quad 0
saved_cr4:
        .quad 0
saved_efer:
        .quad 0
saved_dr0:
        .quad 0                         // 0E8
saved_dr1:
        .quad 0
saved_dr2:
        .quad 0
saved_dr6:
        .quad 0
saved_dr7:
        .quad 0
saved_msrs:
        .fill 10, 8, 0                  // 110
saved_gdtr:
        .fill 16, 1, 0                  // 160
saved_idtr:
        .fill 16, 1, 0
saved_ldtr:
        .quad 0                         // 180
saved_tr:
        .quad 0
saved_flags:
        .quad 0                         // 190
saved_slots:
        .fill 11, 8, 0                  // 198
        .balign 1024
        .fill 4096, 1, 0
home_stack:
        .long 0
