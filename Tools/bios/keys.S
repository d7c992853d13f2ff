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
