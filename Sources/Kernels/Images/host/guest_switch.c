/* Into and out of a guest, IF = 0 throughout. Only the current task's guest can be entered, and the
 * launcher stays inside its LGUEST_RUN system call meanwhile. */
#include "cpu.h"
#include "design.h"
#include "memory.h"
#include "vcpu.h"

void guest_load_root(struct vcpu *vcpu)
{
    struct shadow_root *root = vcpu->cpu->root;
#if ROOTS_TWO
    u64 cr3 = to_physical(vcpu->kernel_mode ? root->kernel : root->user);
#elif ROOTS_ONE
    u64 cr3 = to_physical(root->kernel);
#endif
    struct task *task = current_task();
    /* The task's root is kept in step, so that a context switch comes back to the context that was
     * interrupted (H6). */
    task->cr3 = cr3;
    if (pda_table[0].active_root != cr3) {
        pda_table[0].active_root = cr3;
        write_cr3(cr3);
    }
}

void guest_switch_in(struct vcpu *vcpu)
{
    struct task *task = current_task();
    struct pda *pda = &pda_table[0];
    /* The PDA's scratch RSP is the launcher's, to be restored by its SYSRET; the guest's own system
     * calls will overwrite it. */
    vcpu->cpu->launcher_rsp = pda->oldrsp;
#if ENTRY_STACK_SEPARATE
    /* H14: the next event from CPL 3 must not start at the top of this task's stack, where the
     * launcher's frames are. From here to the first return to the guest nothing comes from CPL 3,
     * so the order of this and the next stores is free. */
    tss.rsp[0] = vcpu->entry_stack;
#elif ENTRY_STACK_TASK
    /* rsp0 stays at the top of this task's stack, on which the launcher sits (H14). */
#endif
    load_task_bases(0, 0);
    /* Task and pointer together: a context switch from now on restores the one from the other. */
    task->vcpu = vcpu;
    set_running_vcpu(vcpu);
#if STAR_SWITCHES
    write_msr(MSR_STAR, STAR_GUEST);
#endif
#if ENTRY_HOOK_LSTAR
    /* From here to the return to CPL 3 no SYSCALL can come, so the order does not matter. */
    write_msr(MSR_LSTAR, (u64)vcpu->system_call);
#endif
    /* selectors = swap-...: the tables change in lguest_return_work, as late as can be. */
}

void guest_switch_out(struct vcpu *vcpu)
{
    struct task *task = current_task();
    struct pda *pda = &pda_table[0];
#if SELECTORS_SWAP
    /* A guest that is killed on its return has its own tables loaded. */
    load_host_tables();
#endif
#if STAR_SWITCHES
    write_msr(MSR_STAR, STAR_HOST);
#endif
#if ENTRY_HOOK_LSTAR
    write_msr(MSR_LSTAR, (u64)system_call);
#endif
    task->vcpu = 0;
    set_running_vcpu(0);
    /* Whatever selectors the guest has left are not for the launcher to see. */
    __asm__ volatile("movl %0, %%ds; movl %0, %%es; movl %0, %%fs" : : "r"(0));
    load_gs_index(0);
    load_task_bases(task->fs_base, task->gs_base);
    /* The stack this runs on stays mapped in every root; the launcher's root is loaded before
     * anything of the launcher's is touched. */
    task->cr3 = to_physical(task->root);
    pda->active_root = task->cr3;
    write_cr3(task->cr3);
    pda->oldrsp = vcpu->cpu->launcher_rsp;
    tss.rsp[0] = task->stack_top;
}
