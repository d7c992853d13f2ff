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
