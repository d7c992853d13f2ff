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
