/* Exceptions that concern the host: those of its own code and of its ordinary processes. A guest's
 * never come here: entry_exception.S hands them to the VCPU descriptor's function. */
#include "apic.h"
#include "console.h"
#include "cpu.h"
#include "memory.h"
#include "panic.h"
#include "process.h"
#include "strings.h"
#include "task.h"
#include "vcpu.h"

static const char *const names[32] = {
    "divide error", "debug", "NMI", "breakpoint", "overflow", "bounds", "invalid opcode",
    "device not available", "double fault", "coprocessor overrun", "invalid TSS",
    "segment not present", "stack segment", "general protection", "page fault", "reserved",
    "x87 error", "alignment check", "machine check", "SIMD error", "virtualization",
    "control protection", "reserved", "reserved", "reserved", "reserved", "reserved", "reserved",
    "hypervisor injection", "VMM communication", "security", "reserved",
};

const char *vector_name(u64 vector)
{
    return vector < 32 ? names[vector] : vector == VECTOR_INT80 ? "INT 0x80" : "interrupt";
}

/* Host instructions that may fault on somebody else's values, and where to go then. */
extern const u8 copy_user_access[], copy_user_fixup[], gs_change[], bad_gs[], iret_label[];

static int fix_up(struct guest_frame *frame)
{
    if (frame->rip == (u64)copy_user_access)
        frame->rip = (u64)copy_user_fixup;
    else if (frame->rip == (u64)gs_change)
        frame->rip = (u64)bad_gs;
    else
        return 0;
    return 1;
}

static const char *context_name(const struct guest_frame *frame)
{
    if (!(frame->cs & 3))
        return "the host kernel";
#if SELECTORS_VIRTUAL
    if (current_task()->vcpu)
        return current_task()->vcpu->kernel_mode ? "a guest kernel" : "a guest user";
#else
    if (current_task()->vcpu)
        return frame->cs == GUEST_KERNEL_CS ? "a guest kernel" : "a guest user";
#endif
    return current_task()->name;
}

[[noreturn]] static void unexpected(const struct guest_frame *frame, u64 address)
{
    if (frame->vector == VECTOR_PF)
        panic("page fault (error %x) for %x in %s at rip %x, rsp %x", frame->error, address,
              context_name(frame), frame->rip, frame->rsp);
    panic("%s (error %x) in %s at rip %x, rsp %x", vector_name(frame->vector), frame->error,
          context_name(frame), frame->rip, frame->rsp);
}

/* The IRET to CPL 3 was refused. GS is the kernel's again; the frame that IRET was to load is lost,
 * and with it whatever was to run: end it. */
[[noreturn]] static void bad_return(const struct guest_frame *frame)
{
    struct vcpu *vcpu = current_task()->vcpu;
    if (vcpu)
        guest_kill(vcpu, "the return to it faulted: %s (error %x)", vector_name(frame->vector),
                   frame->error);
    process_kill("its return to user mode faulted: %s", vector_name(frame->vector));
}

/* From error_entry, IF = 0. */
void do_trap(struct guest_frame *frame)
{
    /* CR2 first: once interrupts are on, another fault may change it. */
    u64 address = frame->vector == VECTOR_PF ? read_cr2() : 0;
    if (!(frame->cs & 3)) {
        if (frame->rip == (u64)iret_label)
            bad_return(frame);
        if (!fix_up(frame))
            unexpected(frame, address);
        return;
    }
    interrupts_on();
    switch (frame->vector) {
    case VECTOR_INT80:
        frame->rax = (u64)-ENOSYS; /* no 32-bit system calls */
        return;
    case VECTOR_PF:
        if (process_demand_page(address, frame->error))
            return;
        process_kill("page fault at %x, rip %x", address, frame->rip);
    default:
        process_kill("%s at rip %x", vector_name(frame->vector), frame->rip);
    }
}

/* From paranoid_entry, on an IST stack, IF = 0: NMI and #MC whoever ran, the others of CPL 0. It
 * may not schedule, and touches nothing of a guest. */
void do_paranoid_trap(struct guest_frame *frame)
{
    switch (frame->vector) {
    case VECTOR_NMI:
        pda_table[0].nmi_count++; /* nothing in the host asks for one: it is only counted */
        return;
    case VECTOR_DB:
        /* A #DB that MOV SS held back until after SYSCALL, or TF that leaked in: CPL 3 made it,
         * and the host goes on without. */
        clear_debug_status();
        frame->rflags &= ~(u64)RFLAGS_TF;
        return;
    default:
        unexpected(frame, 0);
    }
}

/* From common_interrupt, on the interrupt stack, IF = 0. */
void do_interrupt(struct guest_frame *frame)
{
    switch (frame->vector) {
    case VECTOR_TIMER:
        /* EOI before the work: IF is 0 until the IRET, so the next tick cannot nest. */
        apic_end_of_interrupt();
        pda_table[0].apic_timer_irqs++;
        ticks++;
        scheduler_tick();
        guests_tick(console_poll());
        return;
    case VECTOR_SPURIOUS:
        return; /* not in service: no EOI */
    default:
        apic_end_of_interrupt(); /* no device of the host's: acknowledged and forgotten */
    }
}

/* On the way back to CPL 3, IF = 0 and so on return: what the current task's flags ask for. */
void do_return_work(struct guest_frame *frame)
{
    struct task *task = current_task();
    if (task->vcpu) {
        lguest_return_work(frame);
        return;
    }
    task->flags &= ~(u64)TIF_GUEST_WORK;
    while (task->flags & TIF_NEED_RESCHED) {
        interrupts_on();
        schedule();
        interrupts_off();
    }
}
