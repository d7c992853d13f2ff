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
