/* Hypercalls. Every argument is the guest's word: each is checked against its range before use,
 * and memory it names is reached through the guest's own tables. */
#include "console.h"
#include "cpu.h"
#include "guest_memory.h"
#include "memory.h"
#include "panic.h"
#include "vcpu.h"

#define REFUSED (-1)
#define PRINT_LIMIT 4096 /* bytes in one call */
#define CHUNK 256
#define MESSAGE_LIMIT 200

static s64 hypercall_init(struct vcpu *vcpu, u64 version)
{
    if (version != PARAVIRT_ABI_VERSION)
        return REFUSED;
    vcpu->guest->greeted = 1;
    return 0;
}

[[noreturn]] static void hypercall_crash(struct vcpu *vcpu, u64 address)
{
    char message[MESSAGE_LIMIT + 1];
    u64 length = 0, failed;
    /* A byte at a time: the message may end just before a page that is not there. */
    while (length < MESSAGE_LIMIT
           && guest_read(vcpu, message + length, address + length, 1, &failed) && message[length])
        length++;
    while (length && message[length - 1] == '\n')
        length--;
    message[length] = 0;
    guest_end(vcpu, EXIT_GUEST_PANIC, "%s", message);
}

static s64 hypercall_new_page_table(struct vcpu *vcpu, u64 root)
{
    if (root & (PAGE_SIZE - 1) || root >= vcpu->memory_size)
        return REFUSED;
    /* The processor stays on the old root, which is never the one evicted, until the return to the
     * guest loads the new one. */
    vcpu->cpu->root = shadow_root(vcpu, root);
    vcpu->guest_root = root;
#if SELECTORS_SWAP_GDT
    shadow_prefill(vcpu);
#endif
    return 0;
}

#if GUEST_GS_BASE
/* The base that GS has in the guest, kernel and users alike, from the SWAPGS of the return on.
 * Whether paranoid_entry can bear it is the axis guards (H1). */
static s64 hypercall_update_gs(struct vcpu *vcpu, u64 base)
{
    if ((s64)(base << 16) >> 16 != (s64)base)
        return REFUSED;
    u64 flags = interrupts_save();
    vcpu->cpu->gs_base = base;
    load_task_bases(0, base);
    interrupts_restore(flags);
    return 0;
}
#else
/* A guest's GS base stays 0: see paranoid_entry (H1). */
#endif

static s64 hypercall_load_idt_entry(struct vcpu *vcpu, u64 vector, u64 handler)
{
    if (vector > 255 || (handler && !guest_address_ok(handler)))
        return REFUSED;
    vcpu->cpu->traps[vector] = handler;
    return 0;
}

static s64 hypercall_set_stack(struct vcpu *vcpu, u64 rsp)
{
    if (!rsp || !guest_address_ok(rsp - 1))
        return REFUSED;
    vcpu->cpu->kernel_stack = rsp;
    return 0;
}

static s64 hypercall_set_system_call(struct vcpu *vcpu, u64 entry)
{
    if (!entry || !guest_address_ok(entry))
        return REFUSED;
    vcpu->cpu->system_call = entry;
    return 0;
}

static s64 hypercall_timer_start(struct vcpu *vcpu, u64 period)
{
    u64 flags = interrupts_save();
    vcpu->cpu->timer_period = period;
    vcpu->cpu->timer_left = period;
    interrupts_restore(flags);
    return 0;
}

static int can_be_interrupted(struct vcpu *vcpu)
{
    for (u64 line = 0; line < 32; line++) {
        if ((vcpu->shared->irq_pending >> line & 1) && vcpu->cpu->traps[VIRTUAL_IRQ_BASE + line])
            return 1;
    }
    return 0;
}

/* The interrupt that ends it is delivered on the way back (lguest_return_work). */
static s64 hypercall_halt(struct vcpu *vcpu)
{
    vcpu->shared->irq_enabled = RFLAGS_IF;
    u64 flags = interrupts_save();
    while (!can_be_interrupted(vcpu)) {
        vcpu->cpu->halted = 1;
        current_task()->state = TASK_WAITING;
        schedule();
    }
    vcpu->cpu->halted = 0;
    interrupts_restore(flags);
    return 0;
}

static s64 hypercall_set_pte(struct vcpu *vcpu, u64 root, u64 address)
{
    if (!guest_address_ok(address))
        return REFUSED;
    shadow_forget_page(vcpu, root, address);
    return 0;
}

static s64 hypercall_print(struct vcpu *vcpu, u64 address, u64 count)
{
    char chunk[CHUNK];
    u64 failed;
    if (count > PRINT_LIMIT)
        count = PRINT_LIMIT;
    for (u64 done = 0; done < count; done += CHUNK) {
        u64 part = count - done < CHUNK ? count - done : CHUNK;
        if (!guest_read(vcpu, chunk, address + done, part, &failed))
            return done ? (s64)done : REFUSED;
        console_write(chunk, part);
    }
    return (s64)count;
}

/* What is typed is guest 0's. */
static s64 hypercall_console_read(struct vcpu *vcpu, u64 address, u64 capacity)
{
    u64 count = 0, failed;
    if (vcpu->guest->number)
        return 0;
    u64 flags = interrupts_save();
    while (count < capacity && console_waiting()) {
        /* The place first: a byte once taken would be lost. */
        u8 byte = 0;
        if (!guest_write(vcpu, address + count, &byte, 1, &failed))
            break;
        byte = (u8)console_take();
        guest_write(vcpu, address + count, &byte, 1, &failed);
        count++;
    }
    vcpu->shared->console_ready = (u32)console_waiting();
    interrupts_restore(flags);
    return capacity && !count && console_waiting() ? REFUSED : (s64)count;
}

/* Replaces the frame with the one at the guest's RSP; refused if it cannot be read or names a RIP
 * that is not canonical. The guest chooses kernel or user by the virtual CS, and nothing else of CS
 * and SS: both are set from the mode, so no selector of the guest's choice reaches an IRET. */
static s64 hypercall_iret(struct vcpu *vcpu, struct guest_frame *frame)
{
    struct guest_frame *next = &vcpu->cpu->frame_scratch;
    u64 failed;
    if (!guest_read(vcpu, next, frame->rsp, FRAME_SIZE, &failed)
        || (s64)(next->rip << 16) >> 16 != (s64)next->rip)
        return REFUSED;
    *frame = *next;
    vcpu->kernel_mode = !(frame->cs & 3);
    frame->cs = vcpu->kernel_mode ? GUEST_KERNEL_CS : USER_CS;
    frame->ss = vcpu->kernel_mode ? GUEST_KERNEL_DS : USER_DS;
    vcpu->shared->irq_enabled = frame->rflags & RFLAGS_IF;
    /* The real IF is always on: it is the host's (H12). */
    frame->rflags = (frame->rflags & RFLAGS_GUEST) | RFLAGS_FIXED | RFLAGS_IF;
    return 0;
}

static s64 control(struct vcpu *vcpu, const struct guest_frame *frame)
{
    u64 a = frame->rdi, b = frame->rsi;
    switch (frame->rax) {
    case HYPERCALL_INIT:
        return hypercall_init(vcpu, a);
    case HYPERCALL_NEW_PGTABLE:
        return hypercall_new_page_table(vcpu, a);
    case HYPERCALL_FLUSH_TLB:
        shadow_flush(vcpu);
        return 0;
    case HYPERCALL_LOAD_IDT_ENTRY:
        return hypercall_load_idt_entry(vcpu, a, b);
    case HYPERCALL_SET_STACK:
        return hypercall_set_stack(vcpu, a);
    case HYPERCALL_SET_SYSCALL:
        return hypercall_set_system_call(vcpu, a);
    case HYPERCALL_TIMER_READ:
        return (s64)ticks;
    case HYPERCALL_TIMER_START:
        return hypercall_timer_start(vcpu, a);
    case HYPERCALL_HALT:
        return hypercall_halt(vcpu);
    case HYPERCALL_SET_PTE:
        return hypercall_set_pte(vcpu, a, b);
    case HYPERCALL_INVLPG:
        return hypercall_set_pte(vcpu, vcpu->cpu->root->guest_root, a);
    case HYPERCALL_RELEASE_PGD:
        return shadow_release(vcpu, a) ? 0 : REFUSED;
#if GUEST_GS_BASE
    case HYPERCALL_UPDATE_GS:
        return hypercall_update_gs(vcpu, a);
#endif
    case HYPERCALL_YIELD:
        schedule();
        return 0;
    case HYPERCALL_PRINT:
        return hypercall_print(vcpu, a, b);
    case HYPERCALL_CONSOLE_READ:
        return hypercall_console_read(vcpu, a, b);
    default:
        guest_kill(vcpu, "unknown hypercall %u at rip %x", frame->rax, frame->rip);
    }
}

void guest_hypercall(struct vcpu *vcpu, struct guest_frame *frame)
{
    switch (frame->rax) {
    case HYPERCALL_CRASH:
        hypercall_crash(vcpu, frame->rdi);
    case HYPERCALL_SHUTDOWN:
        guest_end(vcpu, EXIT_SHUTDOWN, "guest %u shut down with code %u", vcpu->guest->number,
                  frame->rdi);
    case HYPERCALL_IRET:
        if (hypercall_iret(vcpu, frame) < 0)
            frame->rax = (u64)REFUSED;
        return;
    }
    if (!vcpu->guest->greeted && frame->rax != HYPERCALL_INIT)
        guest_kill(vcpu, "hypercall %u at rip %x before INIT", frame->rax, frame->rip);
    frame->rax = (u64)control(vcpu, frame);
}
