// The kernel under which the cases of the system oracle run, in every emulator the same bytes. It
// waits for a batch, takes each case's state on, and notes the state in which the case raised its
// last exception or interrupt. See `Layout.swift` for the memory map, which both files share.
//
// Home is 32-bit protected mode, flat, without paging. A case is entered by IRET (far RET in real
// mode) and left by the harness's own handlers, which stand in every IDT that is not under test.
// The handlers must not rely on the case's stack or data segments: in 16- and 32-bit modes DR3
// keeps EAX, and DS is loaded from memory through CS.

        .set AREA,      0x10000         // what a case consists of
        .set LOW,       0x8000          // handlers of real mode
        .set SCRATCH,   0x2D0000        // with nothing on either side
        .set TABLES,    0x300000        // page tables
        .set CONTROL,   0x400000
        .set CASES,     0x800000
        .set RESULTS,   0x1800000
        .set CASE_SIZE, 0x2000
        .set HEADER,    0x400
        .set VECTORS,   128

        // The control block.
        .set SEQUENCE,  CONTROL + 0     // written by the driver: a new batch is there
        .set DONE,      CONTROL + 4     // the last batch that was finished
        .set COUNT,     CONTROL + 8
        .set NEXT,      CONTROL + 12    // the case to run
        .set RUNNING,   CONTROL + 16    // not 0 while a case runs

        // Page tables, as the driver wrote them; these entries are a case's.
        .set PML4,      TABLES
        .set PDPT,      TABLES + 0x1000
        .set PD_TEST,   TABLES + 0x3000
        .set PT_TEST,   TABLES + 0x5000
        .set PT_LOW,    TABLES + 0x4000
        .set PAE_PDPT,  TABLES + 0x6000
        .set PD32,      TABLES + 0x7000
        .set PT32_TEST, TABLES + 0x8000
        .set PT32_LOW,  TABLES + 0x9000

        // Fields of a case's header.
        .set MODE,      0x00            // 0 protected and virtual-8086, 1 IA-32e, 2 real
        .set CR0,       0x04
        .set CR3,       0x08
        .set CR4,       0x0C
        .set EFER,      0x10
        .set GDTR,      0x16
        .set IDTR,      0x26
        .set LDTR,      0x30
        .set TR,        0x34
        .set SEGMENTS,  0x38            // DS, ES, FS, GS, 4 bytes each
        .set DR7,       0x48
        .set DR6,       0x4C
        .set DR0,       0x50
        .set DR1,       0x58
        .set DR2,       0x60
        .set MSRS,      0x68            // values of `msr_numbers`
        .set REGISTERS, 0xC0
        .set FRAME,     0x140           // IP, CS, flags, SP, SS, and for virtual-8086 ES DS FS GS
        .set FORM,      0x188           // 0 the frame ends with flags, 1 with SS, 2 with GS
        .set CR2,       0x190
        .set SLOTS,     0x198           // 11 page table entries

        .set HOME_CODE, 0x08
        .set HOME_DATA, 0x10
        .set HOME_LONG, 0x18
        .set HOME_CODE16, 0x20
        .set HOME_DATA16, 0x28
        .set HOME_TASK, 0x30            // no case begins with a TR that another left

        .text
        .code32
        .balign 4
header: .long 0x1BADB002, 0x10000, -(0x1BADB002 + 0x10000)
        .long header, header, 0, 0, start

        .global start
start:  cli
        movl $home_stack, %esp
        lgdtl home_gdtr
        ljmpl $HOME_CODE, $1f
1:      movl $0x60000011, %eax
        movl %eax, %cr0
        call flat
        movb $0xFF, %al                 // no interrupts from outside
        outb %al, $0x21
        outb %al, $0xA1
        call clean
        // A machine that was reset comes back here: the running case shut it down.
        cmpl $0, RUNNING
        je wait
        call result_place
        movl RUNNING, %eax              // 1, or as the driver says
        incl %eax
        movl %eax, (%edi)
        jmp next

wait:   pause
        movl SEQUENCE, %eax
        cmpl DONE, %eax
        je wait
        movl $0, NEXT
        call clean
        jmp loop
next:   movl $0, RUNNING
        incl NEXT
loop:   movl NEXT, %eax
        cmpl COUNT, %eax
        jae finished
        movl $1, RUNNING
        jmp enter
finished:
        movl SEQUENCE, %eax
        movl %eax, DONE
        outl %eax, $0xF4                // stops our machine
        clflush wait                    // stops Bochs; QEMU is stopped from outside
        jmp wait

// Nothing of another batch or of a firmware is seen in a case: memory that cases reach and that is
// no part of them. It is all INT3, so that control that goes astray is seen.
clean:  movl $0xCCCCCCCC, %eax
        xorl %edi, %edi
        movl $LOW / 4, %ecx
        rep stosl
        movl $low_image, %esi
        movl $(low_end - low_image + 3) / 4, %ecx
        rep movsl
        movl $AREA, %edi
        movl $0x80000 / 4, %ecx
        rep stosl
        movl $SCRATCH - 0x1000, %edi
        movl $0x3000 / 4, %ecx
        rep stosl
        ret

flat:   movl $HOME_DATA, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %fs
        movl %eax, %gs
        movl %eax, %ss
        cld
        movb $0x89, home_task + 5       // not busy
        movl $HOME_TASK, %eax
        ltrw %ax
        ret

// EDI: the result of the case that runs.
result_place:
        movl NEXT, %edi
        imull $CASE_SIZE, %edi
        addl $RESULTS, %edi
        ret

        // Moves the parts of the area that a case can change: \end is the area's end of the move,
        // the other is set.
        .macro COPY_AREA end
        movl $AREA, \end
        movl $0x1400 / 4, %ecx
        rep movsl
        movl $AREA + 0x2000, \end
        movl $0x400 / 4, %ecx
        rep movsl
        movl $AREA + 0x3000, \end
        movl $0x400 / 4, %ecx
        rep movsl
        .endm

        // Saves control or debug registers, which are read by way of a general one.
        .macro SAVE move, register, names:vararg
        .irp name, \names
        \move %\name, %\register
        \move %\register, saved_\name
        .endr
        .endm

// Takes on a case's state. EBP is its header until the last.
enter:  fninit
        xorl %ebx, %ebx                 // where taking it on faults, this is what is left
        xorl %edx, %edx
        movl NEXT, %ebp
        imull $CASE_SIZE, %ebp
        addl $CASES, %ebp
        leal HEADER(%ebp), %esi
        COPY_AREA %edi
        call put_slots
        movl $0, %eax
        movl %eax, %dr7
        movl DR0(%ebp), %eax
        movl %eax, %dr0
        movl DR1(%ebp), %eax
        movl %eax, %dr1
        movl DR2(%ebp), %eax
        movl %eax, %dr2
        movl DR6(%ebp), %eax
        movl %eax, %dr6
        movl CR2(%ebp), %eax
        movl %eax, %cr2
        leal MSRS(%ebp), %esi
        movl $msr_numbers, %edi
1:      movl (%edi), %ecx
        movl (%esi), %eax
        movl 4(%esi), %edx
        wrmsr
        addl $8, %esi
        addl $4, %edi
        cmpl $msr_end, %edi
        jb 1b
        movl $0xC0000080, %ecx
        movl EFER(%ebp), %eax
        xorl %edx, %edx
        wrmsr
        movl CR4(%ebp), %eax
        movl %eax, %cr4
        movl CR3(%ebp), %eax
        movl %eax, %cr3
        cmpl $2, MODE(%ebp)
        je enter_real
        lgdtl GDTR(%ebp)
        lidtl IDTR(%ebp)
        // From here on the case's own handlers take what its state raises.
        movl CR0(%ebp), %eax
        movl %eax, %cr0
        jmp 1f
1:      cmpl $1, MODE(%ebp)
        je enter_long
        movl $HOME_DATA, %eax
        movl %eax, %ds
        movl %eax, %ss
        lldtw LDTR(%ebp)
        ltrw TR(%ebp)
        movl FORM(%ebp), %eax
        cmpl $1, %eax
        jb 3f
        je 2f
        pushl FRAME + 0x40(%ebp)
        pushl FRAME + 0x38(%ebp)
        pushl FRAME + 0x30(%ebp)
        pushl FRAME + 0x28(%ebp)
2:      pushl FRAME + 0x20(%ebp)
        pushl FRAME + 0x18(%ebp)
        jmp 4f
3:      // The frame goes to the stack on which the case will find itself.
        movw FRAME + 0x20(%ebp), %ss
        movl FRAME + 0x18(%ebp), %esp
4:      pushl FRAME + 0x10(%ebp)
        pushl FRAME + 0x08(%ebp)
        pushl FRAME(%ebp)
        movl DR7(%ebp), %eax
        movl %eax, %dr7
        movw SEGMENTS + 4(%ebp), %es
        movw SEGMENTS + 8(%ebp), %fs
        movw SEGMENTS + 12(%ebp), %gs
        movl REGISTERS + 0x08(%ebp), %ecx
        movl REGISTERS + 0x10(%ebp), %edx
        movl REGISTERS + 0x18(%ebp), %ebx
        movl REGISTERS + 0x30(%ebp), %esi
        movl REGISTERS + 0x38(%ebp), %edi
        pushl REGISTERS + 0x28(%ebp)
        pushl REGISTERS(%ebp)
        movw SEGMENTS(%ebp), %ds
        popl %eax
        popl %ebp
        iretl

// Writes the case's page table entries. ECX, ESI, EDI are lost.
put_slots:
        leal SLOTS(%ebp), %esi
        movl $slot_places, %edi
        cmpl $0, MODE(%ebp)
        jne 1f
        testl $0x20, CR4(%ebp)
        jne 1f
        movl $slot_places32, %edi
1:      movl $11, %ecx
2:      movl (%edi), %edx
        movl (%esi), %eax
        movl %eax, (%edx)
        cmpl $slot_places32, %edi
        jae 3f
        movl 4(%esi), %eax
        movl %eax, 4(%edx)
3:      addl $8, %esi
        addl $4, %edi
        decl %ecx
        jnz 2b
        // Registers of PAE paging come from a table of their own.
        movl SLOTS + 8(%ebp), %eax
        movl %eax, PAE_PDPT + 8
        movl SLOTS + 12(%ebp), %eax
        movl %eax, PAE_PDPT + 12
        ret

enter_long:
        ljmpl $HOME_LONG, $1f
        .code64
1:      movl %ebp, %ebp
        .irp n, 8, 9, 10, 11, 12, 13, 14, 15
        xorl %r\n\()d, %r\n\()d
        .endr
        movl %ebx, %ebx
        movl %edx, %edx
        movl $HOME_DATA, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        lldtw LDTR(%rbp)
        ltrw TR(%rbp)
        movw SEGMENTS + 8(%rbp), %fs
        movw SEGMENTS + 12(%rbp), %gs
        movl $3, %edi                   // FS and GS bases, which loading the selectors changed
        leaq MSRS(%rbp), %rsi
        movl $0xC0000100, %ecx
2:      movl (%rsi), %eax
        movl 4(%rsi), %edx
        wrmsr
        incl %ecx
        addq $8, %rsi
        decl %edi
        jnz 2b
        movq DR0(%rbp), %rax
        movq %rax, %dr0
        movq DR1(%rbp), %rax
        movq %rax, %dr1
        movq DR2(%rbp), %rax
        movq %rax, %dr2
        movq CR2(%rbp), %rax
        movq %rax, %cr2
        lgdt GDTR(%rbp)
        lidt IDTR(%rbp)
        pushq FRAME + 0x20(%rbp)
        pushq FRAME + 0x18(%rbp)
        pushq FRAME + 0x10(%rbp)
        pushq FRAME + 0x08(%rbp)
        pushq FRAME(%rbp)
        movl DR7(%rbp), %eax
        movq %rax, %dr7
        movw SEGMENTS(%rbp), %ds
        movw SEGMENTS + 4(%rbp), %es
        movq REGISTERS + 0x08(%rbp), %rcx
        movq REGISTERS + 0x10(%rbp), %rdx
        movq REGISTERS + 0x18(%rbp), %rbx
        movq REGISTERS + 0x30(%rbp), %rsi
        movq REGISTERS + 0x38(%rbp), %rdi
        movq REGISTERS + 0x40(%rbp), %r8
        movq REGISTERS + 0x48(%rbp), %r9
        movq REGISTERS + 0x50(%rbp), %r10
        movq REGISTERS + 0x58(%rbp), %r11
        movq REGISTERS + 0x60(%rbp), %r12
        movq REGISTERS + 0x68(%rbp), %r13
        movq REGISTERS + 0x70(%rbp), %r14
        movq REGISTERS + 0x78(%rbp), %r15
        movq REGISTERS(%rbp), %rax
        movq REGISTERS + 0x28(%rbp), %rbp
        iretq

        .code32
enter_real:
        lidtl IDTR(%ebp)
        leal FRAME(%ebp), %esi          // what the last steps need, within reach of real mode
        movl $LOW + real_frame - low_image, %edi
        movl $10, %ecx
        rep movsl
        leal SEGMENTS(%ebp), %esi
        movl $4, %ecx
        rep movsl
        movl DR7(%ebp), %eax
        movl %eax, %dr7
        movl REGISTERS(%ebp), %eax
        stosl
        movl REGISTERS + 0x08(%ebp), %ecx
        movl REGISTERS + 0x10(%ebp), %edx
        movl REGISTERS + 0x18(%ebp), %ebx
        movl REGISTERS + 0x30(%ebp), %esi
        movl REGISTERS + 0x38(%ebp), %edi
        movl $HOME_DATA16, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %fs
        movl %eax, %gs
        movl %eax, %ss
        movl $0x7F00, %esp
        movl %cs:REGISTERS + 0x28(%ebp), %ebp
        ljmpl $HOME_CODE16, $LOW + to_real - low_image

        // -- Leaving a case -------------------------------------------------------------------

        .macro STUBS name, bits
        .balign 16
\name:
        .set n, 0
        .rept VECTORS
        .balign 16
        .if \bits == 32
        movl %eax, %dr3
        movl $(n << 16), %eax
        jmp common32
        .else
        movl $n, saved_vector
        jmp common64
        .endif
        .set n, n + 1
        .endr
        .endm

        .code32
        .org 0x800
        .global stubs32
        STUBS stubs32, 32
        .code64
        .global stubs64
        STUBS stubs64, 64

        .code32
common32:
        movw %ds, %ax
        movw %cs:home_data, %ds
        movl %eax, saved_ds
        shrl $16, %eax
        movl %eax, saved_vector
        movl %dr3, %eax
        movl %eax, saved
        movl %ecx, saved + 0x08
        movl %edx, saved + 0x10
        movl %ebx, saved + 0x18
        movl %esp, saved + 0x20
        movl %ebp, saved + 0x28
        movl %esi, saved + 0x30
        movl %edi, saved + 0x38
        movl $32, saved_bits
        movw %es, saved_es
        movw %fs, saved_fs
        movw %gs, saved_gs
        movw %ss, saved_ss
        movw %cs, saved_cs
        SAVE movl, eax, cr0, cr2, cr3, cr4
        sgdtl saved_gdtr
        sidtl saved_idtr
        sldtw saved_ldtr
        strw saved_tr
        SAVE movl, eax, dr0, dr1, dr2, dr6, dr7
        xorl %eax, %eax
        movl %eax, %dr7
        // The flags of the handler itself, by a stack of its own.
        movw %cs:home_data, %ss
        movl $home_stack, %esp
        pushfl
        popl saved_flags
        movl $0x60000011, %eax
        movl %eax, %cr0
        jmp home

        .code64
common64:
        movq %rax, saved
        movq %rcx, saved + 0x08
        movq %rdx, saved + 0x10
        movq %rbx, saved + 0x18
        movq %rsp, saved + 0x20
        movq %rbp, saved + 0x28
        movq %rsi, saved + 0x30
        movq %rdi, saved + 0x38
        movq %r8, saved + 0x40
        movq %r9, saved + 0x48
        movq %r10, saved + 0x50
        movq %r11, saved + 0x58
        movq %r12, saved + 0x60
        movq %r13, saved + 0x68
        movq %r14, saved + 0x70
        movq %r15, saved + 0x78
        movl $64, saved_bits
        movw %ds, saved_ds
        movw %es, saved_es
        movw %fs, saved_fs
        movw %gs, saved_gs
        movw %ss, saved_ss
        movw %cs, saved_cs
        SAVE movq, rax, cr0, cr2, cr3, cr4
        sgdt saved_gdtr
        sidt saved_idtr
        sldtw saved_ldtr
        strw saved_tr
        SAVE movq, rax, dr0, dr1, dr2, dr6, dr7
        xorl %eax, %eax
        movq %rax, %dr7
        movl $home_stack, %esp
        pushfq
        popq saved_flags
        movl $0x20, %eax                // no PCIDs, or paging could not end
        movq %rax, %cr4
        lgdt home_gdtr
        ljmpl *far_compatible

        .code32
compatible:
        movl $HOME_DATA, %eax
        movl %eax, %ds
        movl $0x60000011, %eax
        movl %eax, %cr0
home:   lgdtl home_gdtr
        ljmpl $HOME_CODE, $1f
1:      movl $HOME_DATA, %eax           // SS may be null, or of 16 bits
        movl %eax, %ss
        movl $home_stack, %esp
        call flat
        pushl $2                        // by IRET VIF and VIP too, once NT is clear
        popfl
        pushl $2
        pushl $HOME_CODE
        pushl $1f
        iretl
1:      movl $0xC0000080, %ecx
        rdmsr
        movl %eax, saved_efer
        movl %edx, saved_efer + 4
        xorl %eax, %eax
        movl %eax, %cr4
        lidtl home_idtr
        lldtw %ax
        movl $msr_numbers, %esi
        movl $saved_msrs, %edi
2:      lodsl
        movl %eax, %ecx
        rdmsr
        stosl
        movl %edx, %eax
        stosl
        cmpl $msr_end, %esi
        jb 2b
        movl $0xC0000080, %ecx
        xorl %eax, %eax
        xorl %edx, %edx
        wrmsr

        // The result: what was saved, the entries, the area.
        call get_slots
        call result_place
        movl $1, saved_status
        movl $saved_status, %esi
        movl $HEADER / 4, %ecx
        rep movsl
        COPY_AREA %esi
        // Nothing of one case is seen in the next.
        movl $saved_status, %edi
        xorl %eax, %eax
        movl $HEADER / 4, %ecx
        rep stosl
        jmp next

get_slots:
        movl NEXT, %ebp
        imull $CASE_SIZE, %ebp
        addl $CASES, %ebp
        movl $slot_places, %esi
        cmpl $0, MODE(%ebp)
        jne 1f
        testl $0x20, CR4(%ebp)
        jne 1f
        movl $slot_places32, %esi
1:      movl $saved_slots, %edi
        movl $11, %ecx
2:      lodsl
        movl (%eax), %edx
        movl %edx, (%edi)
        movl $0, 4(%edi)
        cmpl $slot_places32, %esi
        ja 3f
        movl 4(%eax), %edx
        movl %edx, 4(%edi)
3:      addl $8, %edi
        decl %ecx
        jnz 2b
        ret
#include "harness-real-mode.S"
#include "harness-data.S"
