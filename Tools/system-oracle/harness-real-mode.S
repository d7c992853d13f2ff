        // -- Real mode ------------------------------------------------------------------------

        .balign 16
low_image:
        .code16
        .set n, 0
        .rept VECTORS
        .balign 16
        movl %eax, %dr3
        movl $(n << 16), %eax
        jmp common16
        .set n, n + 1
        .endr
common16:
        movw %ds, %ax
        movw %cs:(LOW + low_data - low_image - LOW), %ds
        movl %eax, (LOW + real_saved - low_image)
        movl %dr3, %eax
        movl %eax, (LOW + real_saved + 4 - low_image)
        movw %es, (LOW + real_saved + 8 - low_image)
        movw %fs, (LOW + real_saved + 10 - low_image)
        movw %gs, (LOW + real_saved + 12 - low_image)
        movw %ss, (LOW + real_saved + 14 - low_image)
        movw %cs, (LOW + real_saved + 16 - low_image)
        movl %esp, (LOW + real_saved + 20 - low_image)
        movl %ecx, (LOW + real_saved + 24 - low_image)
        movl %cr0, %eax
        movl %eax, (LOW + real_saved + 28 - low_image)
        sgdtl (LOW + real_saved + 32 - low_image)
        sidtl (LOW + real_saved + 40 - low_image)
        movl %dr7, %eax
        movl %eax, (LOW + real_saved + 48 - low_image)
        xorl %eax, %eax
        movl %eax, %dr7
        movw %ax, %ss
        movl $0x7F00, %esp
        pushfl
        popl (LOW + real_saved + 52 - low_image)
        lgdtl (LOW + low_gdtr - low_image)
        movl %cr0, %ecx
        orl $1, %ecx
        movl %ecx, %cr0
        ljmpl $HOME_CODE, $from_real
to_real:
        movl %cr0, %eax
        andl $0xFFFFFFFE, %eax
        movl %eax, %cr0
        ljmpw $0, $(LOW + 1f - low_image)
1:      xorw %ax, %ax
        movw %ax, %ds
        movw (LOW + real_frame + 0x20 - low_image), %ss
        movl (LOW + real_frame + 0x18 - low_image), %esp
        pushw (LOW + real_frame + 0x10 - low_image)
        pushw (LOW + real_frame + 0x08 - low_image)
        pushw (LOW + real_frame - low_image)
        movw (LOW + real_segments + 4 - low_image), %es
        movw (LOW + real_segments + 8 - low_image), %fs
        movw (LOW + real_segments + 12 - low_image), %gs
        movl (LOW + real_registers - low_image), %eax
        movw (LOW + real_segments - low_image), %ds
        iretw
        .balign 4
low_data:
        .long 0
low_gdtr:
        .word home_gdt_end - home_gdt - 1
        .long home_gdt
        .balign 8
real_frame:
        .fill 40, 1, 0
real_segments:
        .fill 16, 1, 0
real_registers:
        .fill 8, 1, 0
real_saved:
        .fill 64, 1, 0
low_end:

        .code32
        .set REAL, LOW + real_saved - low_image
from_real:
        movl $HOME_DATA, %eax
        movl %eax, %ds
        movw REAL, %ax
        movw %ax, saved_ds
        movzwl REAL + 2, %eax
        movl %eax, saved_vector
        movl REAL + 4, %eax
        movl %eax, saved
        movl REAL + 24, %ecx
        movl %ecx, saved + 0x08
        movl %edx, saved + 0x10
        movl %ebx, saved + 0x18
        movl REAL + 20, %eax
        movl %eax, saved + 0x20
        movl %ebp, saved + 0x28
        movl %esi, saved + 0x30
        movl %edi, saved + 0x38
        movl $16, saved_bits
        movw REAL + 8, %ax
        movw %ax, saved_es
        movw REAL + 10, %ax
        movw %ax, saved_fs
        movw REAL + 12, %ax
        movw %ax, saved_gs
        movw REAL + 14, %ax
        movw %ax, saved_ss
        movw REAL + 16, %ax
        movw %ax, saved_cs
        movl REAL + 28, %eax
        movl %eax, saved_cr0
        SAVE movl, eax, cr2, cr3, cr4
        movl REAL + 32, %eax
        movl %eax, saved_gdtr
        movw REAL + 36, %ax
        movw %ax, saved_gdtr + 4
        movl REAL + 40, %eax
        movl %eax, saved_idtr
        movw REAL + 44, %ax
        movw %ax, saved_idtr + 4
        SAVE movl, eax, dr0, dr1, dr2, dr6
        movl REAL + 48, %eax
        movl %eax, saved_dr7
        movl REAL + 52, %eax
        movl %eax, saved_flags
        movl $0x60000011, %eax
        movl %eax, %cr0
        jmp home
