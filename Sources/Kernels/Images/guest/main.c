/* The order in which the guest kernel comes up. */
#include "command_line.h"
#include "failures.h"
#include "print.h"
#include "system_calls.h"

/* The first process, still in the kernel: what it needs before its user program can run. Returns
 * into the program. */
static void first_process(void) {
    failure_null_trap_probe();
    failure_stack_overflow();
    failure_bad_pagetable();
    failure_panic();
    timer_start();
    failure_deadlock();
    process_enter_user(process_frame(current), USER_BASE);
}

/* Called by guest_start, on the boot stack, with virtual interrupts off. */
[[noreturn]] void guest_main(const struct boot_info *boot) {
    command_line_set(boot->command_line);
    if (hypercall(HYPERCALL_INIT, PARAVIRT_ABI_VERSION, 0, 0) < 0) {
        panic("the host does not know version %lu of the ABI", (u64)PARAVIRT_ABI_VERSION);
    }
    u64 selector;
    __asm__("mov %%cs, %0" : "=r"(selector));
    print("guest: paravirt kernel at CPL %lu, %lu MiB, \"%s\"\n", selector & 3,
          boot->memory_size >> 20, command_line());
    page_alloc_init(boot->free_start, boot->memory_size);
    kernel_space_init(boot->memory_size);
    failure_wild_jump();
    trap_table_load();
    hypercall(HYPERCALL_SET_SYSCALL, (u64)system_call_entry, 0, 0);
    timer_init(boot->host_tick_cycles);
    schedule_start(process_create_first("init", first_process));
}
