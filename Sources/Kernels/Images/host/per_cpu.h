/* The PDA, reached through %gs in the kernel. */
#ifndef PER_CPU_H
#define PER_CPU_H

#include "layout.h"
#include "strings.h"

struct task;
struct vcpu;

/* x8664_pda of Linux 2.6.20 in its order, with the RFC's field at the end. */
struct pda {
    struct task *pcurrent;
    u64 data_offset;
    u64 kernelstack;
    u64 oldrsp;
    int irqcount; /* -1; 0 = on the interrupt stack */
    u32 cpunumber;
    u64 irqstackptr;
    u32 nodenumber;
    u32 softirq_pending;
    u32 nmi_count;
    short mmu_state;
    short isidle;
    u64 active_root;
    u32 apic_timer_irqs;
    /* vcpu-pointer = pda: the VCPU descriptor of the guest that this CPU runs for the current task,
     * else NULL. A copy of current's field, to spare entry code the detour through current. */
    struct vcpu *vcpu;
    u8 rest[PDA_SIZE - 88];
};
_Static_assert(offset_of(struct pda, pcurrent) == PDA_PCURRENT, "pda");
_Static_assert(offset_of(struct pda, kernelstack) == PDA_KERNELSTACK, "pda");
_Static_assert(offset_of(struct pda, oldrsp) == PDA_OLDRSP, "pda");
_Static_assert(offset_of(struct pda, irqcount) == PDA_IRQCOUNT, "pda");
_Static_assert(offset_of(struct pda, irqstackptr) == PDA_IRQSTACKPTR, "pda");
_Static_assert(offset_of(struct pda, vcpu) == PDA_VCPU, "pda");
_Static_assert(sizeof(struct pda) == PDA_SIZE, "pda");

/* One a CPU; the first CPU's is what the kernel reads without %gs. */
extern struct pda pda_table[1];

static inline struct task *current_task(void)
{
    struct task *task;
    __asm__ volatile("movq %%gs:%c1, %0" : "=r"(task) : "i"(PDA_PCURRENT));
    return task;
}

struct __attribute__((packed)) tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3;
    u16 io_map_base;
    u8 io_map[8192 + 8]; /* part of the limit, as in 2.6; io_map_base points beyond it */
};
_Static_assert(offset_of(struct tss, rsp) == TSS_RSP0, "tss");
_Static_assert(offset_of(struct tss, rsp[2]) == TSS_VCPU, "tss");
_Static_assert(offset_of(struct tss, ist) == TSS_IST(1), "tss");
_Static_assert(offset_of(struct tss, io_map_base) == 0x66, "tss");
extern struct tss tss;

/* Whose guest this CPU runs from now on, if any: what LOAD_VCPU finds (vcpu_pointer.h). The caller
 * changes pcurrent or the task's own field with interrupts off, so no entry sees them disagree. */
static inline void set_running_vcpu(struct vcpu *vcpu)
{
#if VCPU_POINTER_PDA
    pda_table[0].vcpu = vcpu;
#elif VCPU_POINTER_TASK
    (void)vcpu; /* the task's own field is it */
#elif VCPU_POINTER_TSS
    tss.rsp[2] = (u64)vcpu;
#endif
}

struct __attribute__((packed)) table_pointer {
    u16 limit;
    u64 base;
};

#if SELECTORS_SWAP
extern struct table_pointer host_gdt_pointer, guest_gdt_pointer;
#if SELECTORS_SWAP_GDT_IDT
extern struct table_pointer host_idt_pointer, guest_idt_pointer;
#endif

/* IF = 0. From load_guest_tables until the guest runs, or the host's are loaded again, nothing may
 * load CS or SS from 0x10 or 0x18: no IRET to the host kernel, so no event. An NMI or #MC cannot be
 * held off, and is the hole that stays. */
static inline void load_guest_tables(void)
{
#if SELECTORS_SWAP_GDT_IDT
    /* The IDT first, and last on the way back: its gates' selector is sound in both GDTs, and 0x10,
     * which the host's gates name, is not. The other way round an NMI between the two finds a gate
     * to code of DPL 3 at CPL 0: #GP, #DF, shutdown. */
    __asm__ volatile("lidt %0" : : "m"(guest_idt_pointer));
#endif
    __asm__ volatile("lgdt %0" : : "m"(guest_gdt_pointer));
}

static inline void load_host_tables(void)
{
    __asm__ volatile("lgdt %0" : : "m"(host_gdt_pointer));
#if SELECTORS_SWAP_GDT_IDT
    __asm__ volatile("lidt %0" : : "m"(host_idt_pointer));
#endif
}
#endif

/* GDT, IDT, TSS, PDA and the system call registers. */
void descriptors_start(void);

#endif
