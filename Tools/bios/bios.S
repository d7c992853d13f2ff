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

/* ---- INT 16h: keys. */

keys:   push    ds
        push    bx
        push    0x40
        pop     ds
        test    ah, 0xef
        jz      1f
        cmp     ah, 0x01
        je      3f
        cmp     ah, 0x11
        je      3f
        cmp     ah, 0x05
        je      4f
        cmp     ah, 0x02
        je      2f
        cmp     ah, 0x12
        jne     9f
2:      mov     al, [shifts]
        jmp     9f
        /* 00, 10: wait for a key and take it. */
1:      cli
        mov     bx, [key_head]
        cmp     bx, [key_tail]
        jne     5f
        sti
        hlt
        jmp     1b
5:      mov     ax, [bx]
        call    next_key
        mov     [key_head], bx
        jmp     9f
        /* 01, 11: is there one? */
3:      mov     bx, [key_head]
        cmp     bx, [key_tail]
        push    bp
        mov     bp, sp
        je      6f
        mov     ax, [bx]
        and     byte ptr [bp + 10], 0xbf
        pop     bp
        jmp     9f
6:      or      byte ptr [bp + 10], 0x40
        pop     bp
        jmp     9f
        /* 05: put CX into the buffer. */
4:      push    si
        mov     ax, cx
        call    store_key
        pop     si
        mov     al, 0
9:      pop     bx
        pop     ds
        iret

/* ---- Small ones. */

equipment:
        push    ds
        push    0x40
        pop     ds
        mov     ax, [0x10]
        pop     ds
        iret
memory_size:
        push    ds
        push    0x40
        pop     ds
        mov     ax, [0x13]
        pop     ds
        iret
disk:   mov     ah, 0x01                /* nothing is there */
        jmp     fail
serial: mov     ah, 0x80                /* timed out */
        iret
printer:
        mov     ah, 0x01
        iret
no_disk:
        mov     si, offset no_disk_text
1:      mov     al, cs:[si]
        test    al, al
        jz      2f
        mov     ah, 0x0e
        int     0x10
        inc     si
        jmp     1b
2:      cli
        hlt
        jmp     2b
no_disk_text:
        .asciz  "No bootable device.\r\n"
reset:  mov     dx, 0xcf9
        mov     al, 0x06
        out     dx, al
1:      hlt
        jmp     1b

/* ---- INT 1Ah: time. */

/* AL: a byte of CMOS in, its value out. */
cmos:   out     0x70, al
        in      al, 0x71
        ret

time:   cmp     ah, 0x00
        je      1f
        cmp     ah, 0x01
        je      2f
        cmp     ah, 0x02
        je      3f
        cmp     ah, 0x04
        je      4f
        jmp     refuse
1:      push    ds
        push    0x40
        pop     ds
        mov     dx, [ticks]
        mov     cx, [ticks + 2]
        mov     al, [midnight]
        mov     byte ptr [midnight], 0
        pop     ds
        jmp     succeed
2:      push    ds
        push    0x40
        pop     ds
        mov     [ticks], dx
        mov     [ticks + 2], cx
        mov     byte ptr [midnight], 0
        pop     ds
        jmp     succeed
3:      mov     al, 0x04
        call    cmos
        mov     ch, al
        mov     al, 0x02
        call    cmos
        mov     cl, al
        mov     al, 0x00
        call    cmos
        mov     dh, al
        mov     dl, 0
        jmp     succeed
4:      mov     al, 0x32
        call    cmos
        mov     ch, al
        mov     al, 0x09
        call    cmos
        mov     cl, al
        mov     al, 0x08
        call    cmos
        mov     dh, al
        mov     al, 0x07
        call    cmos
        mov     dl, al
        jmp     succeed

/* ---- INT 15h: system. */

system: cmp     ax, 0xe820
        je      memory_map
        cmp     ax, 0xe801
        je      memory_blocks
        cmp     ah, 0x88
        je      1f
        cmp     ah, 0x87
        je      move_block
        cmp     ah, 0x86
        je      wait
        cmp     ah, 0x24
        jne     refuse
        cmp     al, 0x03                /* the A20 gate, which is always open */
        ja      refuse
        mov     ah, 0
        je      2f
        cmp     al, 0x02
        jne     succeed
        mov     al, 1
        jmp     succeed
2:      mov     bx, 3
        jmp     succeed
1:      call    extended_memory
        jmp     succeed

memory_map:
        cmp     edx, 0x534d4150         /* 'SMAP' */
        jne     refuse
        cmp     ecx, 20
        jb      refuse
        cmp     ebx, cs:[map_count]
        jae     refuse
        push    ds
        push    si
        push    di
        push    cs
        pop     ds
        imul    si, bx, 20
        add     si, offset map
        mov     cx, 10
        cld
        rep movsw
        pop     di
        pop     si
        pop     ds
        mov     eax, edx
        mov     ecx, 20
        inc     ebx
        cmp     ebx, cs:[map_count]
        jb      succeed
        xor     ebx, ebx
        jmp     succeed

/* AX: KiB above 1 MiB, as far as a word goes. */
extended_memory:
        mov     al, 0x31
        call    cmos
        mov     ah, al
        mov     al, 0x30
        call    cmos
        ret

memory_blocks:
        mov     al, 0x35
        call    cmos
        mov     ah, al
        mov     al, 0x34
        call    cmos
        mov     bx, ax
        mov     dx, ax
        call    extended_memory
        cmp     ax, 15 * 1024
        jbe     1f
        mov     ax, 15 * 1024
1:      mov     cx, ax
        jmp     succeed

/* Waits CX:DX microseconds: the refresh bit changes every 15. */
wait:   push    eax
        push    ecx
        push    bx
        shl     ecx, 16
        mov     cx, dx
        in      al, 0x61
        mov     bl, al
1:      in      al, 0x61
        xor     bl, al
        test    bl, 0x10
        mov     bl, al
        jz      1b
        sub     ecx, 15
        jns     1b
        pop     bx
        pop     ecx
        pop     eax
        mov     ah, 0
        jmp     succeed

/* Moves CX words; ES:SI holds a table of descriptors of which the third is the source's, the
 * fourth the target's. Protected mode without leaving this code segment. */
move_block:
        cli
        pushad
        push    ds
        push    es
        mov     eax, es:[si + 0x12]
        and     eax, 0xffffff
        mov     bl, es:[si + 0x17]
        shl     ebx, 24
        or      ebx, eax
        mov     eax, es:[si + 0x1a]
        and     eax, 0xffffff
        mov     dl, es:[si + 0x1f]
        shl     edx, 24
        or      edx, eax
        mov     esi, ebx
        mov     edi, edx
        movzx   ecx, cx
        lgdt    cs:[flat_table]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        mov     bx, 8
        mov     ds, bx
        mov     es, bx
        cld
        rep     movsw word ptr es:[edi], word ptr [esi]
        mov     bx, 16
        mov     ds, bx
        mov     es, bx
        and     al, 0xfe
        mov     cr0, eax
        pop     es
        pop     ds
        popad
        mov     ah, 0
        jmp     succeed
        .balign 8
flat:   .quad   0
        .quad   0x00cf93000000ffff      /* all of 4 GiB */
        .quad   0x000093000000ffff      /* 64 KiB, as in real mode */
flat_table:
        .word   23
        .long   0xf0000 + flat

/* ---- INT 10h: video. */

video:  cmp     ah, 0x0e
        je      teletype
        cmp     ah, 0x02
        je      set_cursor
        cmp     ah, 0x03
        je      get_cursor
        cmp     ah, 0x00
        je      set_mode
        cmp     ah, 0x06
        je      scroll_up
        cmp     ah, 0x07
        je      scroll_down
        cmp     ah, 0x08
        je      read_character
        cmp     ah, 0x09
        je      write_character
        cmp     ah, 0x0a
        je      write_character
        cmp     ah, 0x0f
        je      get_mode
        cmp     ah, 0x11
        je      font
        cmp     ah, 0x12
        je      adapter
        cmp     ah, 0x13
        je      write_string
        cmp     ah, 0x1a
        je      combination
        iret

get_mode:
        mov     ax, 0x5003
        mov     bh, 0
        iret
font:   cmp     al, 0x30
        jne     ignore
        mov     cx, 16
        mov     dl, 24
        iret
adapter:
        cmp     bl, 0x10
        jne     ignore
        mov     bx, 0x0003
        mov     cx, 0x0009
        iret
combination:
        cmp     al, 0x00
        jne     ignore
        mov     al, 0x1a
        mov     bx, 0x0008
        iret

set_mode:
        pusha
        push    es
        push    0xb800
        pop     es
        xor     di, di
        mov     cx, 80 * 25
        mov     ax, 0x0720
        cld
        rep stosw
        pop     es
        xor     dx, dx
        call    move_cursor
        popa
        iret
set_cursor:
        pusha
        call    move_cursor
        popa
        iret
get_cursor:
        push    ds
        push    0x40
        pop     ds
        mov     dx, [cursor]
        pop     ds
        mov     cx, 0x0607
        iret

/* DX, row and column, into the data area and the controller; uses AX, BX, DX. */
move_cursor:
        push    ds
        push    0x40
        pop     ds
        mov     [cursor], dx
        pop     ds
        mov     al, 80
        mul     dh
        mov     bx, ax
        mov     dh, 0
        add     bx, dx
        mov     dx, 0x3d4
        mov     al, 0x0e
        mov     ah, bh
        out     dx, ax
        mov     al, 0x0f
        mov     ah, bl
        out     dx, ax
        ret

/* DI: where row CH, column CL lies in text memory. */
address:
        push    ax
        mov     al, 80
        mul     ch
        mov     di, ax
        mov     al, cl
        mov     ah, 0
        add     di, ax
        shl     di, 1
        pop     ax
        ret

teletype:
        pusha
        push    ds
        push    es
        call    put
        pop     es
        pop     ds
        popa
        iret

/* AL at the cursor, which moves on; uses all but SI, BP. */
put:    push    0x40
        pop     ds
        push    0xb800
        pop     es
        mov     dx, [cursor]
        cmp     al, 0x0d
        je      1f
        cmp     al, 0x0a
        je      2f
        cmp     al, 0x08
        je      3f
        cmp     al, 0x07
        je      9f
        mov     cx, dx
        call    address
        mov     es:[di], al
        inc     dl
        cmp     dl, 80
        jb      9f
        inc     dh
1:      mov     dl, 0
        jmp     8f
2:      inc     dh
8:      cmp     dh, 25
        jb      9f
        mov     dh, 24
        push    dx
        mov     ax, 0x0601
        mov     bh, 0x07
        xor     cx, cx
        mov     dx, 0x184f
        int     0x10
        pop     dx
        jmp     9f
3:      cmp     dl, 0
        je      9f
        dec     dl
9:      jmp     move_cursor

/* CX bytes at ES:BP from row and column DX; AL bit 0 moves the cursor, bit 1 says that attributes
 * follow each character. */
write_string:
        pusha
        push    ds
        push    es
        mov     si, bp
        mov     bp, ax
        push    es
        push    0x40
        pop     ds
        mov     ax, [cursor]
        pop     ds
        push    ax
        push    ds
        push    cx
        push    bx
        call    move_cursor
        pop     bx
        pop     cx
        pop     ds
        jcxz    2f
1:      lodsb
        push    cx
        push    ds
        call    put
        pop     ds
        pop     cx
        test    bp, 2
        jz      3f
        inc     si
3:      loop    1b
2:      pop     dx
        test    bp, 1
        jnz     4f
        call    move_cursor
4:      pop     es
        pop     ds
        popa
        iret

read_character:
        push    ds
        push    es
        push    cx
        push    di
        push    0x40
        pop     ds
        push    0xb800
        pop     es
        mov     cx, [cursor]
        call    address
        mov     ax, es:[di]
        pop     di
        pop     cx
        pop     es
        pop     ds
        iret

/* 09: AL with attribute BL, CX times; 0A: AL alone. The cursor stays. */
write_character:
        pusha
        push    ds
        push    es
        push    0x40
        pop     ds
        push    0xb800
        pop     es
        mov     dx, cx
        mov     cx, [cursor]
        call    address
        mov     cx, dx
        jcxz    2f
        cld
1:      stosb
        cmp     ah, 0x0a
        je      3f
        mov     es:[di], bl
3:      inc     di
        loop    1b
2:      pop     es
        pop     ds
        popa
        iret

/* AL rows (0: all) of the window from CH, CL to DH, DL; new ones blank with attribute BH. */
scroll_up:
        pusha
        call    window
1:      push    cx
2:      cmp     ch, dh
        jae     3f
        mov     bp, 160
        call    copy_row
        inc     ch
        jmp     2b
3:      call    clear_row
        pop     cx
        dec     al
        jnz     1b
        jmp     scrolled
scroll_down:
        pusha
        call    window
1:      push    cx
        push    dx
        xchg    ch, dh
2:      cmp     ch, dh
        jbe     3f
        mov     bp, -160
        call    copy_row
        dec     ch
        jmp     2b
3:      call    clear_row
        pop     dx
        pop     cx
        dec     al
        jnz     1b
scrolled:
        pop     es
        pop     ds
        popa
        iret

/* Keeps the window on the screen, AL from 1 to 25, saves DS and ES and points them at text. */
window: pop     ebp
        push    ds
        push    es
        push    0xb800
        pop     ds
        push    0xb800
        pop     es
        cld
        cmp     dh, 24
        jbe     1f
        mov     dh, 24
1:      cmp     dl, 79
        jbe     2f
        mov     dl, 79
2:      dec     al
        cmp     al, 25
        jb      3f
        mov     al, 24
3:      inc     al
        jmp     bp

/* Row CH from what lies BP bytes on, columns CL to DL. */
copy_row:
        pusha
        call    address
        mov     si, di
        add     si, bp
        sub     dl, cl
        inc     dl
        movzx   cx, dl
        rep movsw
        popa
        ret
clear_row:
        pusha
        call    address
        sub     dl, cl
        inc     dl
        movzx   cx, dl
        mov     al, 0x20
        mov     ah, bh
        rep stosw
        popa
        ret

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
