/* lguest's device, so to speak: the launcher's two system calls, the tick, the end of a guest. */
#include "console.h"
#include "cpu.h"
#include "guest_memory.h"
#include "memory.h"
#include "panic.h"
#include "vcpu.h"

#define EINVAL 22
#define ENTRY_STACK_SIZE 8192

struct lguest guests[MAX_GUESTS];

#if ENTRY_STACK_SEPARATE
static u8 entry_stacks[MAX_GUESTS][ENTRY_STACK_SIZE] __attribute__((aligned(16)));
#endif

void lguest_system_call(void);
void lguest_exception(void);

static void vcpu_start(struct lguest *guest, u64 entry, u64 boot_info)
{
    struct vcpu *vcpu = &guest->vcpu;
    vcpu->system_call = lguest_system_call;
    vcpu->exception = lguest_exception;
    vcpu->cpu = &guest->cpu;
    vcpu->guest = guest;
#if ENTRY_STACK_SEPARATE
    vcpu->entry_stack = (u64)entry_stacks[guest->number] + ENTRY_STACK_SIZE;
#elif ENTRY_STACK_TASK
    vcpu->entry_stack = guest->launcher->stack_top;
#endif
    vcpu->id = 0;
    vcpu->kernel_mode = 1;
    vcpu->shared = page_alloc();
    if (!vcpu->shared)
        panic("out of memory for a shared page");
    vcpu->memory = guest_memory_start(guest->number);
    vcpu->memory_size = guest_memory_size();

#if ENTRY_STACK_SEPARATE
    struct guest_frame *frame = (struct guest_frame *)(vcpu->entry_stack - FRAME_SIZE);
#elif ENTRY_STACK_TASK
    /* The launcher's own frame is there: vcpu_enter takes the guest's from here. */
    struct guest_frame *frame = &guest->cpu.frame_scratch;
    vcpu->frame = frame;
#endif
    memset(frame, 0, sizeof *frame);
    frame->rip = entry;
    frame->rdi = boot_info;
    frame->rflags = RFLAGS_FIXED | RFLAGS_IF;
    frame->cs = GUEST_KERNEL_CS;
    frame->ss = GUEST_KERNEL_DS;
}

/* (entry address, guest-physical root, address of the boot info): the launcher has filled the
 * guest's memory. */
s64 sys_lguest_init(u64 entry, u64 root, u64 boot_info)
{
    struct task *task = current_task();
    struct lguest *guest = &guests[task->guest];
    if (guest->state != GUEST_NONE || task->guest >= guest_count())
        return -EINVAL;
    if (!guest_address_ok(entry) || !guest_address_ok(boot_info) || root & (PAGE_SIZE - 1)
        || root >= guest_memory_size())
        return -EINVAL;
    guest->number = task->guest;
    guest->launcher = task;
    vcpu_start(guest, entry, boot_info);
    shadow_start(&guest->vcpu);
    guest->cpu.root = shadow_root(&guest->vcpu, root);
    guest->vcpu.guest_root = root;
#if SELECTORS_SWAP_GDT
    shadow_prefill(&guest->vcpu);
#endif
    guest->state = GUEST_READY;
    return 0;
}

/* Runs the guest until it ends; the result is the outcome. */
s64 sys_lguest_run(void)
{
    struct lguest *guest = &guests[current_task()->guest];
    if (guest->state != GUEST_READY || guest->launcher != current_task())
        return -EINVAL;
    guest->state = GUEST_RUNNING;
    interrupts_off();
    guest_switch_in(&guest->vcpu);
    vcpu_enter(&guest->vcpu);
    interrupts_on();
    return guest->outcome;
}

[[noreturn]] static void finish(struct vcpu *vcpu, u32 outcome)
{
    interrupts_off();
    vcpu->guest->outcome = outcome;
    vcpu->guest->state = GUEST_ENDED;
    guest_switch_out(vcpu);
    vcpu_leave(vcpu);
}

[[noreturn]] void guest_end(struct vcpu *vcpu, u32 outcome, const char *text, ...)
{
    char *reason = vcpu->guest->reason;
    __builtin_va_list arguments;
    __builtin_va_start(arguments, text);
    format_list(reason, sizeof vcpu->guest->reason, text, arguments);
    __builtin_va_end(arguments);
    if (outcome == EXIT_GUEST_PANIC)
        print("guest panic: %s\n", reason);
    finish(vcpu, outcome);
}

[[noreturn]] void guest_kill(struct vcpu *vcpu, const char *text, ...)
{
    char *reason = vcpu->guest->reason;
    __builtin_va_list arguments;
    __builtin_va_start(arguments, text);
    format_list(reason, sizeof vcpu->guest->reason, text, arguments);
    __builtin_va_end(arguments);
    print("guest killed: %s\n", reason);
    finish(vcpu, EXIT_GUEST_KILLED);
}

/* From the timer interrupt, whichever task it interrupted: virtual interrupts become pending here
 * and are delivered when the launcher next returns to its guest. */
void guests_tick(u64 console_waiting)
{
    for (u64 n = 0; n < guest_count(); n++) {
        struct lguest *guest = &guests[n];
        if (guest->state != GUEST_RUNNING)
            continue;
        struct guest_cpu *cpu = &guest->cpu;
        struct shared_page *shared = guest->vcpu.shared;
        if (cpu->timer_period && --cpu->timer_left == 0) {
            cpu->timer_left = cpu->timer_period;
            shared->ticks++;
            shared->irq_pending |= 1U << VIRTUAL_IRQ_TIMER;
        }
        if (n == 0 && console_waiting != shared->console_ready) {
            shared->console_ready = (u32)console_waiting;
            shared->irq_pending |= 1U << VIRTUAL_IRQ_CONSOLE;
        }
        if (!shared->irq_pending)
            continue;
        guest->launcher->flags |= TIF_GUEST_WORK;
        if (cpu->halted)
            wake(guest->launcher);
    }
}
