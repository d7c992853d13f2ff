/* The interrupt descriptor table, the task state segment, and what interrupts do. */
#include "bench.h"

struct [[gnu::packed]] table_pointer {
    u16 limit;
    u64 base;
};

struct [[gnu::packed]] task_state {
    u32 reserved;
    u64 rsp[3];
    u64 interrupt_stacks[8];
    u8 rest[12];
};
_Static_assert(sizeof(struct task_state) == 104, "Intel SDM vol. 3 fig. 8-11");

extern u64 gdt[];
extern char vector_stubs[];

static u64 idt[VECTOR_COUNT * 2];
static struct task_state task;
[[gnu::aligned(16)]] static u8 interrupt_stack[16384];

void (*volatile page_fault_handler)(u64 address);
volatile u64 timer_interrupts;

#define APIC_END_OF_INTERRUPT ((volatile u32 *)0xfee000b0)

/* Called by interrupt_common. */
void interrupt(u64 vector, u64 rip) {
    if (vector == VECTOR_PAGE_FAULT && page_fault_handler != nullptr) {
        u64 address;
        __asm__ volatile("mov %%cr2, %0" : "=r"(address));
        page_fault_handler(address);
    } else if (vector == VECTOR_TIMER) {
        timer_interrupts++;
        *APIC_END_OF_INTERRUPT = 0;
    } else {
        print("unexpected vector ");
        print_number(vector);
        print(" at ");
        print_hex(rip);
        print("\n");
        leave(1);
    }
}

void descriptors_init(void) {
    task.rsp[0] = (u64)(interrupt_stack + sizeof(interrupt_stack));
    u64 base = (u64)&task;
    gdt[TASK_SELECTOR / 8] = (sizeof(task) - 1) | (base & 0xffffff) << 16 | 0x89ul << 40 |
                             (base >> 24 & 0xff) << 56;
    gdt[TASK_SELECTOR / 8 + 1] = base >> 32;
    for (u64 vector = 0; vector < VECTOR_COUNT; vector++) {
        u64 stub = (u64)vector_stubs + vector * 16;
        idt[vector * 2] = (stub & 0xffff) | (u64)KERNEL_CS << 16 | 0x8eul << 40 |
                          (stub >> 16 & 0xffff) << 48;
        idt[vector * 2 + 1] = stub >> 32;
    }
    struct table_pointer pointer = {sizeof(idt) - 1, (u64)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
    __asm__ volatile("ltr %w0" : : "r"(TASK_SELECTOR));
    out_byte(0x21, 0xff); /* both 8259s masked */
    out_byte(0xa1, 0xff);
}
