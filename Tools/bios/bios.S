/* The BIOS of the `pc`: what real-mode code of kernels and boot programs asks firmware for, as
 * machine code that runs on the emulated processor. It does not start the machine: loaders leave
 * everything as firmware does (Sources/Machine/Boot), and this answers afterwards.
 *
 * Interfaces: Ralf Brown's interrupt list; ACPI 6.4, 15.1 (INT 15h, E820h). One video page of 80x25
 * in mode 3, no disks, no PCI BIOS. `build` makes Sources/Machine/Boot/BIOSCode.swift of it.
 *
 * Near calls push 32 bits: clang's assembler has no other in this syntax.
 *
 * The image is the last 8 KiB of segment 0xF000. The loader fills in `map`, and the interrupt
 * vectors from `vectors`: interrupt number and offset, 0xFFFF ends them.
 */
        .intel_syntax noprefix
        .code16
        .section .text
        .globl  start
start:
map_count:
        .long   0
map:    .fill   16 * 20, 1, 0
        .org    0x150
vectors:
        .word   -1, ignore              /* what is not named below */
        .word   0x08, timer
        .word   0x09, keyboard
        .word   0x0a, interrupt_low, 0x0b, interrupt_low, 0x0c, interrupt_low
        .word   0x0d, interrupt_low, 0x0e, interrupt_low, 0x0f, interrupt_low
        .word   0x10, video
        .word   0x11, equipment
        .word   0x12, memory_size
        .word   0x13, disk
        .word   0x14, serial
        .word   0x15, system
        .word   0x16, keys
        .word   0x17, printer
        .word   0x18, no_disk
        .word   0x19, no_disk
        .word   0x1a, time
        .word   0x70, interrupt_high, 0x71, interrupt_high, 0x72, interrupt_high
        .word   0x73, interrupt_high, 0x74, interrupt_high, 0x75, interrupt_high
        .word   0x76, interrupt_high, 0x77, interrupt_high
        .word   -1, 0

        .set    cursor, 0x50            /* in segment 0x40: column, row */
        .set    key_head, 0x1a
        .set    key_tail, 0x1c
        .set    key_first, 0x1e
        .set    key_end, 0x3e
        .set    shifts, 0x17
        .set    ticks, 0x6c
        .set    midnight, 0x70

/* ---- Returns: the caller's carry and zero flags are those on its stack. */

succeed:
        push    bp
        mov     bp, sp
        and     byte ptr [bp + 6], 0xfe
        pop     bp
        iret
refuse: mov     ah, 0x86                /* not supported */
fail:   push    bp
        mov     bp, sp
        or      byte ptr [bp + 6], 1
        pop     bp
ignore: iret

/* ---- Hardware interrupts. */

interrupt_high:
        push    ax
        mov     al, 0x20
        out     0xa0, al
        out     0x20, al
        pop     ax
        iret
interrupt_low:
        push    ax
        mov     al, 0x20
        out     0x20, al
        pop     ax
        iret

timer:  push    ds
        push    ax
        push    0x40
        pop     ds
        inc     dword ptr [ticks]
        cmp     dword ptr [ticks], 0x1800b0
        jb      1f
        mov     dword ptr [ticks], 0
        inc     byte ptr [midnight]
1:      int     0x1c
        mov     al, 0x20
        out     0x20, al
        pop     ax
        pop     ds
        iret

/* A key's scan code (set 1) goes into the buffer with its character. */
keyboard:
        pusha
        push    ds
        push    0x40
        pop     ds
        in      al, 0x60
        mov     ah, al
        and     al, 0x7f
        cmp     al, 0x2a                /* the shift keys */
        je      2f
        cmp     al, 0x36
        je      2f
        test    ah, 0x80
        jnz     4f
        cmp     al, 0x39
        ja      4f
        movzx   bx, al
        test    byte ptr [shifts], 3
        jz      1f
        add     bx, 58                  /* the other table */
1:      mov     al, cs:[bx + plain]
        call    store_key
        jmp     4f
2:      mov     al, 2
        test    ah, 0x80
        jnz     3f
        or      [shifts], al
        jmp     4f
3:      and     byte ptr [shifts], 0xfc
4:      mov     al, 0x20
        out     0x20, al
        pop     ds
        popa
        iret

/* AX into the buffer, if there is room; uses BX, SI. */
store_key:
        mov     bx, [key_tail]
        mov     si, bx
        call    next_key
        cmp     bx, [key_head]
        je      1f
        mov     [si], ax
        mov     [key_tail], bx
1:      ret
next_key:
        add     bx, 2
        cmp     bx, key_end
        jb      1f
        mov     bx, key_first
1:      ret
#include "keys.S"
#include "time.S"
#include "system.S"
#include "video.S"

plain:  .ascii  "\0\0331234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 "
shifted:
        .ascii  "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 "

        .if     shifted - plain - 58
        .error  "the tables of keys are not 58 bytes each"
        .endif
        .org    0x1ff0
        ljmp    0xf000, offset reset
        .ascii  "01/01/07"
        .byte   0, 0xfc, 0              /* a PC/AT */
