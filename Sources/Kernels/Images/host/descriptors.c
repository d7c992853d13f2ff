/* The GDT, IDT, TSS and PDA, and the model-specific registers of SYSCALL. */
#include "cpu.h"
#include "design.h"
#include "per_cpu.h"
#include "task.h"

struct pda pda_table[1] __attribute__((aligned(128)));
struct tss tss __attribute__((aligned(4096)));

static u8 stack_fault_stack[IST_STACK_SIZE] __attribute__((aligned(16)));
static u8 double_fault_stack[IST_STACK_SIZE] __attribute__((aligned(16)));
static u8 nmi_stack[IST_STACK_SIZE] __attribute__((aligned(16)));
static u8 debug_stack[2 * IST_STACK_SIZE] __attribute__((aligned(16))); /* #DB or #BP may nest */
static u8 machine_check_stack[IST_STACK_SIZE] __attribute__((aligned(16)));
static u8 irq_stack[IRQ_STACK_SIZE] __attribute__((aligned(16)));

/* Linux 2.6.20's table, and what the axis selectors puts behind it. */
static u64 gdt[GDT_ENTRIES] __attribute__((aligned(64))) = {
    [KERNEL_CS / 8] = 0x00af9a000000ffff,
    [KERNEL_DS / 8] = 0x00cf92000000ffff,
    [USER32_CS / 8] = 0x00cffa000000ffff,
    [USER_DS / 8] = 0x00cff2000000ffff,
    [USER_CS / 8] = 0x00affa000000ffff,
    [7] = 0x00cf9a000000ffff, /* KERNEL32_CS */
    [15] = 0x0000f40000000000, /* limit = node and CPU number for LSL */
#if SELECTORS_DISTINCT
    /* The guest kernel's own, behind all that 2.6 has, so that no selector the host's own code or a
     * saved frame of it names ever changes meaning. A trio in SYSRET's order, 32-bit code, data,
     * 64-bit code, because a SYSRET made by CSTAR's stub on behalf of 32-bit code would load the
     * first. DPL 3: the guest kernel runs at CPL 3. */
    [GUEST_KERNEL_CS32 / 8] = 0x00cffa000000ffff,
    [GUEST_KERNEL_DS / 8] = 0x00cff2000000ffff,
    [GUEST_KERNEL_CS / 8] = 0x00affa000000ffff,
#elif SELECTORS_SWAP_GDT_IDT
    /* What the gates name while the guest's tables are loaded, in both GDTs: a frame that names it
     * can be returned to under either. */
    [HOST_ENTRY_CS / 8] = 0x00af9a000000ffff,
#endif
    /* swap-gdt: this table has nothing of the guest's. virtual: nobody's has. */
};

struct gate {
    u16 offset_low;
    u16 selector;
    u8 ist;
    u8 type;
    u16 offset_middle;
    u32 offset_high;
    u32 reserved;
};
static struct gate idt[256] __attribute__((aligned(4096)));

extern const u64 exception_stubs[32];
extern const u8 interrupt_stubs[224][16];
void int80(void);
void ignore_system_call(void);

/* Every gate is an interrupt gate on KERNEL_CS, as the era's all are: the descriptor at 0x10 must
 * therefore stay 64-bit code of DPL 0 as long as this table is loaded. */
static void set_gate(u32 vector, u64 handler, u8 ist, u8 privilege)
{
    idt[vector] = (struct gate){
        .offset_low = (u16)handler,
        .selector = KERNEL_CS,
        .ist = ist,
        .type = 0x8e | (u8)(privilege << 5),
        .offset_middle = (u16)(handler >> 16),
        .offset_high = (u32)(handler >> 32),
    };
}

static void fill_idt(void)
{
    for (u32 vector = 0; vector < 32; vector++) {
        u8 ist = vector == VECTOR_SS ? IST_STACK_FAULT
            : vector == VECTOR_DF ? IST_DOUBLE_FAULT
            : vector == VECTOR_NMI ? IST_NMI
            : vector == VECTOR_DB || vector == VECTOR_BP ? IST_DEBUG
            : vector == VECTOR_MC ? IST_MACHINE_CHECK
            : 0;
        set_gate(vector, exception_stubs[vector], ist, vector == VECTOR_BP || vector == 4 ? 3 : 0);
    }
    for (u32 vector = 32; vector < 256; vector++)
        set_gate(vector, (u64)interrupt_stubs[vector - 32], 0, 0);
    set_gate(VECTOR_INT80, (u64)int80, 0, 3);
}

static u64 stack_top(u8 *stack, u64 size)
{
    return (u64)stack + size;
}

#if SELECTORS_SWAP
struct table_pointer host_gdt_pointer, guest_gdt_pointer;
static u64 guest_gdt[GDT_ENTRIES] __attribute__((aligned(64)));
#if SELECTORS_SWAP_GDT_IDT
struct table_pointer host_idt_pointer, guest_idt_pointer;
static struct gate guest_idt[256] __attribute__((aligned(4096)));
#endif

/* "Or should it keep the same and we switch the host kernel's CS / DS on switching to and from a
 * guest?" The guest's GDT is the host's but for 0x10 and 0x18, which are DPL 3 because the guest
 * kernel runs at CPL 3. The TSS's descriptor is in both; TR is never loaded again. */
static void fill_guest_tables(void)
{
    memcpy(guest_gdt, gdt, sizeof gdt);
    guest_gdt[KERNEL_CS / 8] = 0x00affa000000ffff;
    guest_gdt[KERNEL_DS / 8] = 0x00cff2000000ffff;
    host_gdt_pointer = (struct table_pointer){sizeof gdt - 1, (u64)gdt};
    guest_gdt_pointer = (struct table_pointer){sizeof guest_gdt - 1, (u64)guest_gdt};
#if SELECTORS_SWAP_GDT_IDT
    /* "If we do change the host GDT we will also have to change the IDT to reflect those changes":
     * its gates name a descriptor that is the host kernel's code in both GDTs. */
    memcpy(guest_idt, idt, sizeof idt);
    for (u32 vector = 0; vector < 256; vector++)
        guest_idt[vector].selector = HOST_ENTRY_CS;
    host_idt_pointer = (struct table_pointer){sizeof idt - 1, (u64)idt};
    guest_idt_pointer = (struct table_pointer){sizeof guest_idt - 1, (u64)guest_idt};
#else
    /* The IDT's gates go on naming 0x10. While the guest runs that is code of DPL 3: an event of
     * CPL 3 is no change of privilege, so it is delivered at CPL 3, on the guest's stack, to a
     * handler on a page that CPL 3 may not fetch from. */
#endif
}
#endif

static void fill_tss(void)
{
    tss.ist[IST_STACK_FAULT - 1] = stack_top(stack_fault_stack, sizeof stack_fault_stack);
    tss.ist[IST_DOUBLE_FAULT - 1] = stack_top(double_fault_stack, sizeof double_fault_stack);
    tss.ist[IST_NMI - 1] = stack_top(nmi_stack, sizeof nmi_stack);
    tss.ist[IST_DEBUG - 1] = stack_top(debug_stack, sizeof debug_stack);
    tss.ist[IST_MACHINE_CHECK - 1] = stack_top(machine_check_stack, sizeof machine_check_stack);
    tss.io_map_base = 0x8000;

    u64 base = (u64)&tss;
    u64 limit = sizeof(struct tss) - 1;
    gdt[TSS_SELECTOR / 8] = limit | (base & 0xffffff) << 16 | 0x89UL << 40
        | (base >> 24 & 0xff) << 56;
    gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
}

void descriptors_start(void)
{
    struct pda *pda = &pda_table[0];
    pda->pcurrent = &tasks[0];
    pda->irqcount = -1;
    pda->irqstackptr = stack_top(irq_stack, sizeof irq_stack) - 64;
    pda->vcpu = 0;

    fill_tss();
    fill_idt();
#if SELECTORS_SWAP
    fill_guest_tables();
#endif
    struct table_pointer gdt_pointer = {sizeof gdt - 1, (u64)gdt};
    struct table_pointer idt_pointer = {sizeof idt - 1, (u64)idt};
    __asm__ volatile("lgdt %0" : : "m"(gdt_pointer));
    /* The GS selector before its base: loading a selector may clear the base. */
    __asm__ volatile("movl %0, %%fs; movl %0, %%gs" : : "r"(0));
    write_msr(MSR_FS_BASE, 0);
    write_msr(MSR_GS_BASE, (u64)pda);
    write_msr(MSR_KERNEL_GS_BASE, 0);
    /* The IDT after GS: a handler's first need is the PDA. */
    __asm__ volatile("lidt %0" : : "m"(idt_pointer));
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
    /* Without CR4.MCE a machine check shuts the processor down; with it, it is vector 18, which
     * needs the IST and so comes after LTR. */
    write_cr4(read_cr4() | CR4_MCE);

    write_msr(MSR_STAR, STAR_HOST);
    write_msr(MSR_LSTAR, (u64)system_call);
    write_msr(MSR_CSTAR, (u64)ignore_system_call);
    write_msr(MSR_SFMASK, SFMASK_VALUE);
    /* SYSENTER tests nothing and would be one more door into the host (H5): with a null CS it is
     * #GP at CPL 3. */
    write_msr(MSR_SYSENTER_CS, 0);
}
