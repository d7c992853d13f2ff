/* The local APIC and the 8259 pair. */
#include "apic.h"
#include "cpu.h"

#define APIC_TASK_PRIORITY 0x80
#define APIC_EOI 0xb0
#define APIC_SPURIOUS 0xf0
#define APIC_TIMER 0x320
#define APIC_LINT0 0x350
#define APIC_LINT1 0x360
#define APIC_ERROR 0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_DIVIDE 0x3e0
#define APIC_MASKED 0x10000
#define APIC_PERIODIC 0x20000
#define APIC_ENABLED 0x100
#define APIC_DELIVER_NMI 0x400
#define DIVIDE_BY_1 0xb

static void apic_write(u32 offset, u32 value)
{
    *(volatile u32 *)(LOCAL_APIC_MAP + offset) = value;
}

/* The 8259s are programmed to vectors 0x20 and 0x30 before they are masked: a spurious interrupt
 * gets through the mask, and at the reset values it would look like an exception. */
static void mask_8259(void)
{
    outb(0x20, 0x11);
    outb(0xa0, 0x11);
    outb(0x21, 0x20);
    outb(0xa1, 0x30);
    outb(0x21, 0x04);
    outb(0xa1, 0x02);
    outb(0x21, 0x01);
    outb(0xa1, 0x01);
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

void apic_start(void)
{
    mask_8259();
    apic_write(APIC_SPURIOUS, APIC_ENABLED | VECTOR_SPURIOUS);
    apic_write(APIC_TASK_PRIORITY, 0);
    apic_write(APIC_TIMER, APIC_MASKED);
    apic_write(APIC_LINT0, APIC_MASKED);
    apic_write(APIC_LINT1, APIC_DELIVER_NMI);
    apic_write(APIC_ERROR, APIC_MASKED);
}

void apic_start_timer(void)
{
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_TIMER, APIC_PERIODIC | VECTOR_TIMER);
    apic_write(APIC_TIMER_INITIAL, TICK_COUNTS);
}

void apic_end_of_interrupt(void)
{
    apic_write(APIC_EOI, 0);
}
