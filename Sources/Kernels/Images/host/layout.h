/* Numbers that assembly and C must agree on: selectors, model-specific registers, vectors, and the
 * offsets of the structures that entry code reads. C checks each offset where the structure is
 * declared (per_cpu.h, task.h, vcpu.h). */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "design.h"
#include "paravirt_abi.h"

/* Where the host maps physical memory. */
#define TEXT_MAP        0xffffffff80000000
#if MOVES_GUEST
#define DIRECT_MAP      0xffff810000000000 /* 2.6's PAGE_OFFSET */
#elif MOVES_HOST
/* The RFC's "instead": the guest has 2.6's place and the host's direct map goes up, to where Linux
 * put it for Xen's sake a year later. That alone suffices here because this guest kernel runs in
 * its direct map: one that is linked at -2 GiB, as 2.6 is, would meet the host's text in slot 511,
 * and its modules and vsyscall page likewise. */
#define DIRECT_MAP      0xffff880000000000
#endif
#define DIRECT_SLOT     (DIRECT_MAP >> 39 & 511)
#define LOCAL_APIC_MAP  0xffffffffff400000 /* 2 MiB page over physical 0xfee00000 */
#define PAGE_SIZE       4096
#define LARGE_PAGE_SIZE 0x200000

/* GDT slots, as Linux 2.6.20 numbers them. 16...18 are beyond its table. */
#define KERNEL_CS       0x10
#define KERNEL_DS       0x18
#define USER32_CS       0x23
#define USER_DS         0x2b
#define USER_CS         0x33
#define TSS_SELECTOR    0x40

/* The guest kernel's real selectors. */
#if SELECTORS_DISTINCT
#define GUEST_KERNEL_CS32 0x83 /* only so that STAR's SYSRET base names a sound descriptor */
#define GUEST_KERNEL_DS 0x8b
#define GUEST_KERNEL_CS 0x93
#define GDT_ENTRIES     19
#elif SELECTORS_SWAP
/* The host kernel's own, at CPL 3. SYSRET cannot load this pair: it takes SS from the slot before
 * CS, and 0x18 lies behind 0x10. The guest kernel is returned to by IRET. */
#define GUEST_KERNEL_DS (KERNEL_DS | 3)
#define GUEST_KERNEL_CS (KERNEL_CS | 3)
/* swap-gdt-idt: what the gates name while the guest runs; the same descriptor in both GDTs. */
#define HOST_ENTRY_CS   0x80
#define GDT_ENTRIES     17
#elif SELECTORS_VIRTUAL
#define GUEST_KERNEL_DS USER_DS
#define GUEST_KERNEL_CS USER_CS
#define GDT_ENTRIES     16
#endif

/* Model-specific registers. */
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_SYSENTER_CS    0x174

/* STAR[47:32] is SYSCALL's CS; STAR[63:48] + 16 is SYSRET's CS, + 8 its SS. Only the upper half
 * differs while a guest runs: a SYSCALL must arrive on KERNEL_CS whoever makes it. */
#define STAR_HOST  ((0x23UL << 48) | (0x10UL << 32))
#define STAR_GUEST ((0x83UL << 48) | (0x10UL << 32))

#if GUARDS_OPEN || GUARDS_ERA
/* TF | IF | DF | IOPL, as the era had it. NT and AC are not masked: NT set by a guest makes the
 * next IRET of the host's fault, which ends that guest and nothing else (H10, in part). */
#define SFMASK_VALUE 0x3700
#elif GUARDS_FULL
/* TF | IF | DF | IOPL | NT | AC: no flag of CPL 3 that changes what the host's instructions do
 * comes in by SYSCALL, and gates clear NT and TF themselves (H10). */
#define SFMASK_VALUE 0x47700
#endif

#define CR4_MCE 0x40

#define RFLAGS_FIXED 0x2
#define RFLAGS_TF    0x100
#define RFLAGS_IF    0x200
/* What a guest may choose of its RFLAGS: ID AC OF DF SF ZF AF PF CF. */
#define RFLAGS_GUEST 0x240cd5

/* Vectors and the interrupt stack table. */
#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_BP 3
#define VECTOR_DF 8
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_MC 18
#define VECTOR_INT80 0x80
#define VECTOR_TIMER 0xef
#define VECTOR_SPURIOUS 0xff
#define IST_STACK_FAULT 1
#define IST_DOUBLE_FAULT 2
#define IST_NMI 3
#define IST_DEBUG 4
#define IST_MACHINE_CHECK 5
#define IST_STACK_SIZE 4096
#define IRQ_STACK_SIZE 16384
#define TASK_STACK_SIZE 8192

/* The TSS: rsp0 at +4, ist1 at +0x24. */
#define TSS_RSP0 4
#define TSS_IST(n) (0x24 + 8 * ((n) - 1))
/* vcpu-pointer = tss: RSP2, which the processor reads only to enter ring 2. */
#define TSS_VCPU (TSS_RSP0 + 16)

/* The PDA (x8664_pda of 2.6.20, without the stack protector's word). The VCPU field follows
 * apic_timer_irqs: gcc fixes nothing behind it, and no offset known to modules moves. */
#define PDA_PCURRENT 0
#define PDA_KERNELSTACK 16
#define PDA_OLDRSP 24
#define PDA_IRQCOUNT 32
#define PDA_IRQSTACKPTR 40
#define PDA_VCPU 80
#define PDA_SIZE 128
/* kernelstack points below the five words of the hardware frame that SYSCALL does not push. */
#define PDA_STACK_OFFSET 40

/* struct task. */
#define TASK_FLAGS 0
#define TASK_RSP 8
#define TASK_VCPU 24
#define TIF_NEED_RESCHED 1
#define TIF_GUEST_WORK 2

/* struct vcpu, the VCPU descriptor: all that assembly reads is in the first 64 bytes. */
#define VCPU_SYSTEM_CALL 0
#define VCPU_EXCEPTION 8
#define VCPU_CPU 16
#define VCPU_GUEST 24
#define VCPU_ENTRY_STACK 32
#define VCPU_HOST_RSP 40
#define VCPU_ID 48
#define VCPU_KERNEL_MODE 52
#define VCPU_SHARED 56
#define VCPU_MEMORY 64
#define VCPU_MEMORY_SIZE 72
#define VCPU_FRAME 80
#define VCPU_GUEST_ROOT 88
/* struct guest_cpu, for the observer */
#define GUEST_CPU_TRAPS 0
#define VCPU_SIZE 96

/* Host system calls: Linux's numbers, and two of our own where the launcher would use write() and
 * read() of /dev/lguest. */
#define SYSCALL_WRITE 1
#define SYSCALL_SCHED_YIELD 24
#define SYSCALL_NANOSLEEP 35
#define SYSCALL_GETPID 39
#define SYSCALL_EXIT 60
#define SYSCALL_ARCH_PRCTL 158
#define SYSCALL_LGUEST_INIT 160
#define SYSCALL_LGUEST_RUN 161
#define SYSCALL_COUNT 162
#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ENOSYS 38

/* isa-debug-exit values; QEMU's own exit status is 2 * value + 1. */
#define DEBUG_EXIT_PORT 0xf4
#define EXIT_SHUTDOWN 0x10
#define EXIT_HOST_PANIC 0x11
#define EXIT_GUEST_KILLED 0x12
#define EXIT_GUEST_PANIC 0x13

#define LOCAL_APIC_PHYS 0xfee00000
#define TICK_COUNTS 100000 /* local APIC timer counts in a host tick; divide by 1 */

#endif
