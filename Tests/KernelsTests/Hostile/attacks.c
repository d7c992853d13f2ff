/* Attacks whose answer is known: the host kills the guest, or the guest sees a fault. */
#include "hostile.h"

static int starts(const char *text, const char *word)
{
    while (*word) {
        if (*text++ != *word++)
            return 0;
    }
    return *text == 0 || *text == ' ';
}

void attack_trap(struct guest_frame *frame)
{
    say_number("trap ", frame->vector);
    say_number("error ", frame->error);
    say_number("cs ", frame->cs);
    hypercall(HYPERCALL_SHUTDOWN, 0, 0, 0);
}

static void user_code(const u8 *code, u64 count)
{
    for (u64 i = 0; i < count; i++)
        ((u8 *)AT(0x800000))[i] = code[i];
    go_to_user(0x200000);
}

/* mov $1, (shared page): a guest user that would mark its calls as hypercalls. */
static void user_sets_flag(void)
{
    static const u8 code[] = {
        0x48, 0xb8, 0, 0, 0, 0, 0xf0, 0x80, 0xff, 0xff, /* movabs $GUEST_SHARED_PAGE, %rax */
        0xc7, 0, 1, 0, 0, 0,                            /* movl $1, (%rax) */
    };
    user_code(code, sizeof code);
}

/* mov (guest kernel), %rax: what one root for both would allow. */
static void user_reads_kernel(void)
{
    static const u8 code[] = {
        0x48, 0xb8, 0, 0, 0x10, 0, 0, 0x80, 0xff, 0xff, /* movabs $AT(0x100000), %rax */
        0x48, 0x8b, 0,                                  /* mov (%rax), %rax */
    };
    user_code(code, sizeof code);
}

/* exit(0) of the host, as the launcher might make it, through the old gate. */
static void user_int80(void)
{
    static const u8 code[] = {0xb8, 60, 0, 0, 0, 0xcd, 0x80};
    user_code(code, sizeof code);
}

static void root_in_hole(void)
{
    u64 *root = (u64 *)AT(0x40000);
    root[256] = ((u64 *)AT(ROOT))[256];
    root[258] = 0x41007;
    hypercall(HYPERCALL_NEW_PGTABLE, 0x40000, 0, 0);
}

static void reserved_bits(void)
{
    ((u64 *)AT(ROOT))[1] = 0x800087;
    (void)*(volatile u64 *)0x8000000000;
}

static void arguments_refused(void)
{
    u64 bad[] = {
        (u64)hypercall(HYPERCALL_SET_STACK, 0xffffffff80300000, 0, 0),
        (u64)hypercall(HYPERCALL_SET_SYSCALL, 0x8000000000000000, 0, 0),
        (u64)hypercall(HYPERCALL_LOAD_IDT_ENTRY, 256, (u64)trap_entry, 0),
        (u64)hypercall(HYPERCALL_LOAD_IDT_ENTRY, 3, 0xffff810000000000, 0),
        (u64)hypercall(HYPERCALL_NEW_PGTABLE, 1UL << 40, 0, 0),
        (u64)hypercall(HYPERCALL_RELEASE_PGD, ROOT, 0, 0),
        (u64)hypercall(HYPERCALL_PRINT, 0xffffffff80200000, 8, 0),
        (u64)hypercall(HYPERCALL_CONSOLE_READ, 0xffff810000200000, 0, 0) - 1,
        (u64)hypercall(HYPERCALL_INIT, 77, 0, 0),
    };
    u64 refused = 0;
    for (u64 i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused += bad[i] == ~0UL;
    say_number("refused ", refused);
}

/* A GS base in the upper half, as a kernel's is, and an event that decides on SWAPGS by GS_BASE. */
static void negative_gs(void)
{
    u64 word;
    *(u64 *)AT(0x900000) = 0x900d;
    hypercall(HYPERCALL_UPDATE_GS, AT(0x900000), 0, 0);
    hypercall(HYPERCALL_YIELD, 0, 0, 0);
    __asm__ volatile("movq %%gs:0, %0" : "=r"(word));
    say_number("gs ", word);
    __asm__ volatile("int3");
}

/* A clean end, and registers that a host which lost its own would take for a return address. */
static void registers(void)
{
    shut_down_with_registers(0x4141414000);
}

static void nested_task(void)
{
    return_with_nested_task();
    say("returned\n");
}

static void fault_loop(void)
{
    /* The handler returns to the fault, as attack_trap does not. */
    static const u8 code[] = {0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0x30}; /* mov 0x30000000, %rax */
    extern void return_only(void);
    hypercall(HYPERCALL_LOAD_IDT_ENTRY, 14, (u64)return_only, 0);
    user_code(code, sizeof code);
}

int attack(const char *name)
{
    static const struct {
        const char *name;
        u64 stack;
    } stacks[] = {
        {"stack-direct-map", 0xffff810000001000}, {"stack-text", 0xffffffff80300000},
        {"stack-zero", 0}, {"stack-shared", GUEST_SHARED_PAGE + 4096},
    };
    for (u64 i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        if (starts(name, stacks[i].name))
            fault_on_stack(stacks[i].stack);
    }
    static void (*const functions[])(void) = {
        user_sets_flag, user_reads_kernel, user_int80, root_in_hole, reserved_bits,
        arguments_refused, fault_loop, nested_task, call_at_the_edge, negative_gs,
        registers,
    };
    static const char *const names[] = {
        "user-sets-flag", "user-reads-kernel", "user-int80", "root-in-hole", "reserved-bits",
        "arguments", "fault-loop", "nested-task", "edge", "negative-gs",
        "registers",
    };
    for (u64 i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (starts(name, names[i])) {
            functions[i]();
            return 1;
        }
    }
    return 0;
}
