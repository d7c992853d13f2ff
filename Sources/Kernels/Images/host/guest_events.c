/* What happens to a guest: its system calls, its exceptions, its virtual interrupts. These are
 * what the VCPU descriptor's function pointers lead to. */
#include "cpu.h"
#include "design.h"
#include "guest_memory.h"
#include "memory.h"
#include "panic.h"
#include "vcpu.h"

#define FAULT_LIMIT 1000 /* of the same page fault without progress */
#define NOTABLE_RUN 8    /* of the same page fault, worth a word in a later reason */

static void set_context(struct vcpu *vcpu, struct guest_frame *frame)
{
    frame->cs = vcpu->kernel_mode ? GUEST_KERNEL_CS : USER_CS;
    frame->ss = vcpu->kernel_mode ? GUEST_KERNEL_DS : USER_DS;
}

/* A run of the same page fault before it is how a handler that faults itself looks. */
[[noreturn]] static void double_fault(struct vcpu *vcpu, const struct guest_frame *frame,
                                      u64 vector, u64 failed)
{
    const struct guest_cpu *cpu = vcpu->cpu;
    char before[96] = "";
    if (cpu->run_count >= NOTABLE_RUN)
        format(before, sizeof before, ", after %u page faults in a row for %x at rip %x",
               cpu->run_count, cpu->run_address, cpu->run_rip);
    guest_kill(vcpu, "double fault: cannot store the frame of vector %u (%s) at %x on its kernel "
                     "stack; rip %x, rsp %x%s", vector,
               vector == FRAME_VECTOR_SYSCALL ? "system call" : vector_name(vector), failed,
               frame->rip, frame->rsp, before);
}

/* The frame goes where the guest says its stack is, through the guest's tables: an RSP that points
 * into the host's half, or nowhere, ends the guest and not the host (H9). The virtual CS in it has
 * RPL 0 for the guest kernel, because the guest's own entry code looks at `CS & 3` (H2); the real
 * ones are both 3. */
void guest_reflect(struct vcpu *vcpu, struct guest_frame *frame, u64 vector, u64 error,
                   u64 handler)
{
    struct guest_cpu *cpu = vcpu->cpu;
    u64 top = vcpu->kernel_mode ? frame->rsp : cpu->kernel_stack;
    u64 target = (top & ~15UL) - FRAME_SIZE;
    struct guest_frame *copy = &cpu->frame_scratch;
    *copy = *frame;
    copy->vector = vector;
    copy->error = error;
    copy->cs = vcpu->kernel_mode ? GUEST_VIRTUAL_KERNEL_CS : GUEST_VIRTUAL_USER_CS;
    copy->ss = vcpu->kernel_mode ? GUEST_VIRTUAL_KERNEL_SS : GUEST_VIRTUAL_USER_SS;
    copy->rflags = (frame->rflags & ~(u64)RFLAGS_IF) | (vcpu->shared->irq_enabled & RFLAGS_IF);
    u64 failed;
    if (!guest_write(vcpu, target, copy, FRAME_SIZE, &failed))
        double_fault(vcpu, frame, vector, failed);
    vcpu->shared->irq_enabled = 0;
    vcpu->kernel_mode = 1;
    set_context(vcpu, frame);
    frame->rip = handler;
    frame->rsp = target;
    /* The shape of a SYSRET: RCX is the address returned to, R11 the flags. Both are the guest
     * kernel's; TF, DF, AC and NT of what was interrupted stay in the stored frame. */
    frame->rflags = RFLAGS_FIXED | RFLAGS_IF;
    frame->rcx = handler;
    frame->r11 = frame->rflags;
}

/* Called by lguest_system_call, IF = 0. */
void lguest_handle_system_call(struct guest_frame *frame)
{
    struct vcpu *vcpu = current_task()->vcpu;
    vcpu->frame = frame;
    set_context(vcpu, frame);
    interrupts_on();
#if HYPERCALL_MARK_FLAG
    /* "The guest kernel needs to set a flag in shared data": the flag alone decides, as the RFC has
     * it. That only the guest kernel can set it is the shadow's doing, and that it is not left over
     * from an interrupted hypercall is deliver_interrupt's. */
    if (vcpu->shared->hypercall_flag) {
        vcpu->shared->hypercall_flag = 0;
#elif HYPERCALL_MARK_MODE
    /* Who made it decides, and that is the host's own note of whom it last returned to: no memory
     * of the guest's is asked, a guest user cannot forge it whatever its root shows, and it cannot
     * be left over (H3). The guest kernel has no system calls of its own, so none is lost. */
    if (vcpu->kernel_mode) {
#endif
        /* What SYSCALL left: back by SYSRET, to the next instruction. A hypercall that returns
         * elsewhere replaces the frame. NT and TF do not survive it (H10). */
        frame->rflags = (frame->r11 & RFLAGS_GUEST) | RFLAGS_FIXED | RFLAGS_IF;
        frame->r11 = frame->rflags;
        guest_hypercall(vcpu, frame);
        return;
    }
    if (!vcpu->cpu->system_call)
        guest_kill(vcpu, "a system call at rip %x before SET_SYSCALL", frame->rip);
    vcpu->cpu->fault_count = 0;
    guest_reflect(vcpu, frame, FRAME_VECTOR_SYSCALL, 0, vcpu->cpu->system_call);
}

/* The same fault again and again, and in between no mapping made that could let it pass
 * (handle_page_fault resets the count): the guest's handler does not mend it. */
static void count_fault(struct vcpu *vcpu, const struct guest_frame *frame, u64 address)
{
    struct guest_cpu *cpu = vcpu->cpu;
    if (cpu->fault_rip != frame->rip || cpu->fault_address != address) {
        cpu->run_rip = cpu->fault_rip;
        cpu->run_address = cpu->fault_address;
        cpu->run_count = cpu->fault_count;
        cpu->fault_count = 0;
    }
    cpu->fault_rip = frame->rip;
    cpu->fault_address = address;
    if (++cpu->fault_count == FAULT_LIMIT)
        guest_kill(vcpu, "page fault loop: %u faults in a row for address %x at rip %x",
                   cpu->fault_count, address, frame->rip);
}

/* 1 if the shadow was at fault and is filled; else *error is the code the guest is to see. */
static int handle_page_fault(struct vcpu *vcpu, u64 address, u64 *error)
{
    struct guest_walk walk;
    u64 present;
    /* W and I are the processor's; U says which context faulted, and both run at CPL 3; P is
     * whether the guest's tables, not the shadow's, had the page. */
    u64 access = (*error & (ACCESS_WRITE | ACCESS_FETCH)) | (vcpu->kernel_mode ? 0 : ACCESS_USER);
    if (!guest_walk(vcpu, address, access, &walk, &present)) {
        *error = access | present;
        return 0;
    }
    if ((address ^ vcpu->cpu->fault_address) < PAGE_SIZE)
        vcpu->cpu->fault_count = 0;
    shadow_fill(vcpu, address, &walk);
    return 1;
}

/* Called by lguest_exception, IF = 0. Only events of CPL 3 come here, and only of this guest. */
void lguest_handle_exception(struct guest_frame *frame)
{
    struct vcpu *vcpu = current_task()->vcpu;
    u64 vector = frame->vector;
    u64 error = frame->error;
    /* CR2 before interrupts: another fault would change it. */
    u64 address = vector == VECTOR_PF ? read_cr2() : 0;
    vcpu->frame = frame;
    interrupts_on();
    if (vector == VECTOR_PF) {
        if (handle_page_fault(vcpu, address, &error))
            return;
        count_fault(vcpu, frame, address);
    }
    u64 handler = vcpu->cpu->traps[vector];
    if (!handler && vector == VECTOR_PF)
        guest_kill(vcpu, "page fault (error %x) for address %x at rip %x in guest %s mode, and no "
                         "handler for vector 14 in its trap table", error, address, frame->rip,
                   vcpu->kernel_mode ? "kernel" : "user");
    if (!handler)
        guest_kill(vcpu, "%s (error %x) at rip %x in guest %s mode, and no handler for vector %u "
                         "in its trap table", vector_name(vector), error, frame->rip,
                   vcpu->kernel_mode ? "kernel" : "user", vector);
    if (vector == VECTOR_PF)
        vcpu->shared->cr2 = address;
    guest_reflect(vcpu, frame, vector, error, handler);
}

/* A virtual interrupt, if one is pending that has a handler, and the guest's virtual IF is on. With
 * hypercall-mark = flag none is delivered while the flag is set: between the store of the flag and
 * the SYSCALL the guest's handler could run a process, whose system call would be taken for the
 * hypercall. The SYSCALL that is about to come ends the wait. */
static void deliver_interrupt(struct vcpu *vcpu, struct guest_frame *frame)
{
    struct shared_page *shared = vcpu->shared;
    if (!(shared->irq_enabled & RFLAGS_IF))
        return;
#if HYPERCALL_MARK_FLAG
    if (shared->hypercall_flag)
        return;
#elif HYPERCALL_MARK_MODE
    /* Nothing waits for the SYSCALL: its meaning is its maker's mode. */
#endif
    for (u64 line = 0; line < 32; line++) {
        u64 handler = vcpu->cpu->traps[VIRTUAL_IRQ_BASE + line];
        if ((shared->irq_pending >> line & 1) && handler) {
            shared->irq_pending &= ~(1U << line);
            guest_reflect(vcpu, frame, VIRTUAL_IRQ_BASE + line, 0, handler);
            return;
        }
    }
}

/* On the way back to a guest, IF = 0 and so on return. */
void lguest_return_work(struct guest_frame *frame)
{
    struct task *task = current_task();
    struct vcpu *vcpu = task->vcpu;
    vcpu->frame = frame;
    task->flags &= ~(u64)TIF_GUEST_WORK;
    while (task->flags & TIF_NEED_RESCHED) {
        interrupts_on();
        schedule();
        interrupts_off();
    }
    deliver_interrupt(vcpu, frame);
    /* SYSCALL on the last two bytes of the lower half leaves a RIP that is not canonical, and a
     * SYSRET or IRET to it would fault at CPL 0 (H10). */
    if ((s64)(frame->rip << 16) >> 16 != (s64)frame->rip)
        guest_kill(vcpu, "it returns to %x, which is not canonical", frame->rip);
    guest_load_root(vcpu);
#if SELECTORS_SWAP
    /* Last: what follows is the IRET to the guest (return_by_iret), and none to the host. */
    load_guest_tables();
#endif
}
