/* The C half of a context switch, IF = 0: what of a task is not on its kernel stack. */
#include "cpu.h"
#include "design.h"
#include "panic.h"
#include "task.h"
#include "vcpu.h"

static u16 read_ds(void)
{
    u16 value;
    __asm__ volatile("movw %%ds, %0" : "=r"(value));
    return value;
}

static u16 read_es(void)
{
    u16 value;
    __asm__ volatile("movw %%es, %0" : "=r"(value));
    return value;
}

static u16 read_fs(void)
{
    u16 value;
    __asm__ volatile("movw %%fs, %0" : "=r"(value));
    return value;
}

static u16 read_gs(void)
{
    u16 value;
    __asm__ volatile("movw %%gs, %0" : "=r"(value));
    return value;
}

/* Bases are written, never read back: CPL 3 cannot change one but by loading a selector, whose
 * descriptor's base is 0. */
void load_task_bases(u64 fs_base, u64 gs_base)
{
    write_msr(MSR_FS_BASE, fs_base);
    write_msr(MSR_KERNEL_GS_BASE, gs_base);
}

/* Selectors that CPL 3 may have left, a guest's included. Every data selector CPL 3 can load names
 * a fixed flat descriptor of the GDT that it ran under, so reloading one cannot fault. */
static void switch_selectors(struct task *previous, struct task *next)
{
    previous->ds = read_ds();
    previous->es = read_es();
    previous->fs = read_fs();
    previous->gs = read_gs();
    if (previous->ds | next->ds)
        __asm__ volatile("movw %0, %%ds" : : "r"(next->ds));
    if (previous->es | next->es)
        __asm__ volatile("movw %0, %%es" : : "r"(next->es));
    if (previous->fs | next->fs)
        __asm__ volatile("movw %0, %%fs" : : "r"(next->fs));
    if (previous->gs | next->gs)
        load_gs_index(next->gs);
}

/* Called on the new stack. The order: */
void switch_registers(struct task *previous, struct task *next)
{
    struct pda *pda = &pda_table[0];
    struct vcpu *vcpu = next->vcpu;

    /* 1. Where the next event from CPL 3 lands. It has to be the VCPU's entry stack if `next` is
     * inside its guest: the top of its own stack is under the launcher's live frames (H14). */
    tss.rsp[0] = vcpu ? vcpu->entry_stack : next->stack_top;

    /* 2. Selectors before bases: a selector load overwrites the base. */
#if SELECTORS_SWAP
    /* A guest's selectors mean what its GDT says. Then the host's tables, for whoever is next: an
     * interrupt that found a guest running has come here under the guest's. They are loaded for the
     * guest again by lguest_return_work. */
    if (vcpu)
        load_guest_tables();
    else
        load_host_tables();
#endif
    switch_selectors(previous, next);
#if SELECTORS_SWAP
    if (vcpu)
        load_host_tables();
#endif
#if GUEST_GS_BASE
    if (vcpu || previous->vcpu)
        load_task_bases(vcpu ? 0 : next->fs_base, vcpu ? vcpu->cpu->gs_base : next->gs_base);
    else
#endif
    if (previous->fs_base | previous->gs_base | next->fs_base | next->gs_base | previous->fs
        | next->fs | previous->gs | next->gs) {
        if (vcpu)
            load_task_bases(0, 0);
        else
            load_task_bases(next->fs_base, next->gs_base);
    }

    /* 3. The user RSP of a system call that is under way. */
    previous->user_rsp = pda->oldrsp;
    pda->oldrsp = next->user_rsp;

    /* 4. Who runs. The VCPU pointer is refreshed right beside pcurrent, so that no code ever sees
     * one task's guest with another task current: a machine check between the two stores looks at
     * neither. It is NULL for every task that is not inside a guest. */
    pda->pcurrent = next;
    set_running_vcpu(vcpu);

    /* 5. The stack SYSCALL will load, for host users; a guest's SYSCALL never loads it. The task
     * cannot be found from it, as 2.6 did, once guests have stacks of their own: pcurrent is. */
    pda->kernelstack = next->stack_top - PDA_STACK_OFFSET;

    /* 6. The registers of SYSCALL and SYSRET, last: nothing comes or goes by them before the switch
     * is over. */
#if STAR_SWITCHES
    if (!previous->vcpu != !vcpu)
        write_msr(MSR_STAR, vcpu ? STAR_GUEST : STAR_HOST);
#endif
#if ENTRY_HOOK_LSTAR
    if (!previous->vcpu != !vcpu)
        write_msr(MSR_LSTAR, vcpu ? (u64)vcpu->system_call : (u64)system_call);
#endif
}
