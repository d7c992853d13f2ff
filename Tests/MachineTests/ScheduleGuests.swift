/// Guests for tests: a table of bytes and listings.

/// A guest for tests of runs: PVH entry, long mode, a periodic local APIC timer whose handler prints
/// a dot, CR3 loads, HLT, stores all over memory, timer and time-stamp reads, and an instruction
/// that it rewrites. It leaves by isa-debug-exit with a number that depends on every instant at
/// which an interrupt arrived. The bytes are of the listing below, assembled by clang at 1 MiB.
enum LoopGuest {
    static let image = ELFBuilder.kernel(hexadecimalBytes(hexadecimal)).bytes()

    static let hexadecimal = """
        bf0010000031c0b900140000f3abc7050010000003200000c7050050000003200000c7050020
        000003300000c7051820000003400000c7050030000083000000c7050830000083002000c705
        b84f00009300e0feb8001000000f22d8b8200000000f22e0b9800000c00f320fbae8080f300f
        20c00d010000800f22c00f0115e8011000ea8a0010000800b8100000008ed88ec08ed0bc0000
        1800bf00000100b900010000baa5011000e8f9000000e2f9bf00040100ba85011000e8e80000
        00bf20000100ba9b011000e8d90000000f011c25f0011000bd0000e0fec785f0000000ff0100
        00c785e00300000b000000c7852003000040000200c78580030000cf0700004531c04531c945
        31d2bb39300000fb4869db6d4ec6414881c3393000004889d948c1e91081e1f8ff0700480199
        000020004833990800200041ffc241f6c23f75190f20d835004000000f22d88b859003000048
        01c30f314801c36641f7c2ff00750df4b908000000fe042573011000b00000c34181f8c80000
        00729389d8e7f4faf441ffc0c785b000000000000000b02e66baf803ee48cf41ffc1ff042500
        00190048cf66891766c74702080066c74704008e89d0c1e8106689470648c747080000000083
        c710c30f1f4400000000000000000000ffff0000009baf00ffff00000093cf001700d0011000
        6690ff0f0000010000000000
        """

    static let listing = #"""
        # PVH guest: EBX start info. Long mode, IDT, periodic local APIC timer, CR3 loads, HLT, stores.
        .code32
        .globl _start
        _start:
         movl $0x1000,%edi          # page tables at 0x1000...0x5fff
         xorl %eax,%eax
         movl $0x1400,%ecx
         rep stosl
         movl $0x2003,0x1000        # PML4[0] -> PDPT
         movl $0x2003,0x5000        # the second root shares it
         movl $0x3003,0x2000        # PDPT[0] -> PD
         movl $0x4003,0x2018        # PDPT[3] -> PD of the last GiB
         movl $0x83,0x3000          # 0...2 MiB
         movl $0x200083,0x3008      # 2...4 MiB
         movl $0xfee00093,0x4fb8    # the local APIC
         movl $0x1000,%eax
         movl %eax,%cr3
         movl $0x20,%eax            # PAE
         movl %eax,%cr4
         movl $0xc0000080,%ecx      # EFER.LME
         rdmsr
         btsl $8,%eax
         wrmsr
         movl %cr0,%eax
         orl $0x80000001,%eax
         movl %eax,%cr0
         lgdt gdtr
         ljmp $8,$long
        .code64
        long:
         movl $16,%eax
         movl %eax,%ds
         movl %eax,%es
         movl %eax,%ss
         movl $0x180000,%esp
         movl $0x10000,%edi         # IDT: 256 gates to `ignore`, then the ones that matter
         movl $256,%ecx
         movl $ignore,%edx
        1: call gate
         loop 1b
         movl $0x10000+0x40*16,%edi
         movl $timer,%edx
         call gate
         movl $0x10000+2*16,%edi
         movl $nmi,%edx
         call gate
         lidt idtr
         movl $0xfee00000,%ebp
         movl $0x1ff,0xf0(%rbp)
         movl $0xb,0x3e0(%rbp)
         movl $0x20040,0x320(%rbp)
         movl $1999,0x380(%rbp)
         xorl %r8d,%r8d             # ticks
         xorl %r9d,%r9d             # NMIs
         xorl %r10d,%r10d           # iterations
         movl $12345,%ebx
         sti
        loop:
         imulq $1103515245,%rbx,%rbx
         addq $12345,%rbx
         movq %rbx,%rcx
         shrq $16,%rcx
         andl $0x7fff8,%ecx
         addq %rbx,0x200000(%rcx)
         xorq 0x200008(%rcx),%rbx
         incl %r10d
         testb $0x3f,%r10b
         jnz 2f
         movq %cr3,%rax
         xorl $0x4000,%eax
         movq %rax,%cr3
         movl 0x390(%rbp),%eax
         addq %rax,%rbx
         rdtsc
         addq %rax,%rbx
        2: testw $0xff,%r10w
         jnz 3f
         hlt
         movl $8,%ecx               # rewrite an instruction's immediate
         incb patch+1
        3:
        patch: movb $0,%al
         addb %al,%bl
         cmpl $200,%r8d
         jb loop
         movl %ebx,%eax
         outl %eax,$0xf4
         cli
         hlt
        timer:
         incl %r8d
         movl $0,0xb0(%rbp)
         movb $'.',%al
         movw $0x3f8,%dx
         outb %al,%dx
         iretq
        nmi:
         incl %r9d
         incl 0x190000
        ignore: iretq
        gate:
         movw %dx,(%rdi)
         movw $8,2(%rdi)
         movw $0x8e00,4(%rdi)
         movl %edx,%eax
         shrl $16,%eax
         movw %ax,6(%rdi)
         movq $0,8(%rdi)
         addl $16,%edi
         ret
        .balign 8
        gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
        gdtr: .word 23
         .long gdt
         .balign 8
        idtr: .word 4095
         .quad 0x10000
        """#
}

/// A guest for tests of several vCPUs; its result depends on how they interleave. The bytes are of
/// the listing below, assembled by clang at 1 MiB.
enum ParallelGuest {
    static let image = ELFBuilder.kernel(hexadecimalBytes(hexadecimal)).bytes()

    static let hexadecimal = """
        be66011000bf00800000b923000000f3a40f011558011000ea1f0010000800b8100000008ed8
        8ec08ed0bf80020100b8c800100066890766c74702080066c74704008ec1e81066894706bd00
        00e0fec785f0000000ff010000c7850003000000450c00c7850003000008460c00c785000300
        0008460c00bc0000300031d2b9b80b0000a100002000f39039050000200075ece2f489c369c0
        b80b0000f39039050400200072f6b9a00f0000e2fec7850003000050400c00391d0800200072
        f8a10c002000e7f4faf4f0ff0508002000c785b000000000000000cfb8100000008ed88ec08e
        d00f011d60011000b801000000f00fc105000020008d7802c1e00c8da000103000bd0000e0fe
        c785f0000000ff010000b9b80b0000f0ff0504002000a10c002000c1c00501f8030504002000
        a30c002000505ae2e0fbf4faf4ebfd900000000000000000ffff0000009bcf00ffff00000093
        cf001700400110006690ff0700000100fa8cc88ed8660f01161d000f20c06683c8010f22c066
        eada0010000800170040011000
        """

    static let listing = #"""
        # PVH guest for several vCPUs, in 32-bit protected mode: INIT and start-up messages, a trampoline
        # from real mode, locked and unlocked counting in shared memory, and wake-up by IPI from HLT.
        # 0x200000: processors up, +4 turns done, +8 woken, +12 hash (unlocked), +16 count of turns wanted.
        .code32
        .globl _start
        _start:
         movl $trampoline,%esi
         movl $0x8000,%edi
         movl $trampoline_end-trampoline,%ecx
         rep movsb
         lgdt gdtr
         ljmp $8,$1f
        1: movl $16,%eax
         movw %ax,%ds
         movw %ax,%es
         movw %ax,%ss
         movl $0x10000+0x50*8,%edi      # IDT entry 0x50
         movl $woken,%eax
         movw %ax,(%edi)
         movw $8,2(%edi)
         movw $0x8e00,4(%edi)
         shrl $16,%eax
         movw %ax,6(%edi)
         movl $0xfee00000,%ebp
         movl $0x1ff,0xf0(%ebp)
         movl $0xc4500,0x300(%ebp)      # INIT to all others
         movl $0xc4608,0x300(%ebp)      # start at 0x8000
         movl $0xc4608,0x300(%ebp)
         movl $0x300000,%esp
         xorl %edx,%edx
        wait:                            # until the count of processors up has been still for a while
         movl $3000,%ecx
         movl 0x200000,%eax
        2: pause
         cmpl %eax,0x200000
         jne wait
         loop 2b
         movl %eax,%ebx                  # others
         imull $3000,%eax,%eax
        3: pause
         cmpl %eax,0x200004
         jb 3b
         movl $4000,%ecx                 # let the last one reach HLT
         loop .
         movl $0xc4050,0x300(%ebp)
        4: cmpl %ebx,0x200008
         jb 4b
         movl 0x20000c,%eax
         outl %eax,$0xf4
         cli
         hlt
        woken:
         lock incl 0x200008
         movl $0,0xb0(%ebp)
         iret
        other:
         movl $16,%eax
         movw %ax,%ds
         movw %ax,%es
         movw %ax,%ss
         lidt idtr
         movl $1,%eax
         lock xaddl %eax,0x200000
         leal 2(%eax),%edi
         shll $12,%eax
         leal 0x301000(%eax),%esp
         movl $0xfee00000,%ebp
         movl $0x1ff,0xf0(%ebp)
         movl $3000,%ecx
        5: lock incl 0x200004
         movl 0x20000c,%eax              # a race: who writes last decides
         roll $5,%eax
         addl %edi,%eax
         addl 0x200004,%eax
         movl %eax,0x20000c
         pushl %eax
         popl %edx
         loop 5b
         sti
         hlt
         cli
        6: hlt
         jmp 6b
        .balign 8
        gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
        gdtr: .word 23
         .long gdt
         .balign 8
        idtr: .word 2047
         .long 0x10000
        .code16
        trampoline:
         cli
         movw %cs,%ax
         movw %ax,%ds
         lgdtl gdtr16-trampoline
         movl %cr0,%eax
         orl $1,%eax
         movl %eax,%cr0
         ljmpl $8,$other
        gdtr16: .word 23
         .long gdt
        trampoline_end:
        """#
}

func hexadecimalBytes(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map {
        UInt8(digits[$0] << 4 | digits[$0 + 1])
    }
}
