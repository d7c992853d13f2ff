/* Single instructions that C has no word for. */
#ifndef CPU_H
#define CPU_H

#include "layout.h"

static inline void outb(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(u16 port, u32 value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline u8 inb(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void write_msr(u32 number, u64 value)
{
    __asm__ volatile("wrmsr" : : "c"(number), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline u64 read_cr2(void)
{
    u64 value;
    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}

static inline u64 read_cr3(void)
{
    u64 value;
    __asm__ volatile("movq %%cr3, %0" : "=r"(value) : : "memory");
    return value;
}

static inline void write_cr3(u64 value)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

static inline u64 read_cr4(void)
{
    u64 value;
    __asm__ volatile("movq %%cr4, %0" : "=r"(value));
    return value;
}

static inline void write_cr4(u64 value)
{
    __asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

static inline void invalidate_page(u64 address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void interrupts_on(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void interrupts_off(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* Interrupts off; returns what they were, for interrupts_restore. */
static inline u64 interrupts_save(void)
{
    u64 flags;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void interrupts_restore(u64 flags)
{
    if (flags & RFLAGS_IF)
        interrupts_on();
}

static inline void clear_debug_status(void)
{
    __asm__ volatile("movq %0, %%dr6" : : "r"(0xffff0ff0UL));
}

#endif
