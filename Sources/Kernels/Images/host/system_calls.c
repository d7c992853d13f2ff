/* The host's system calls, for its ordinary processes and the launchers. They are given no frame:
 * on this path the frame is partial (H13). Interrupts are on. */
#include "cpu.h"
#include "process.h"
#include "strings.h"
#include "task.h"
#include "vcpu.h"

#define EFAULT 14
#define EINVAL 22
#define NANOSECONDS_PER_TICK 100000 /* what a tick is taken for; nothing is calibrated */

u64 copy_user(void *to, const void *from, u64 count);

static int user_range(u64 address, u64 count)
{
    return address < USER_END && count <= USER_END - address;
}

/* Into the pipe that the waiting task reads; what does not fit is dropped, as if it were read by
 * nobody. */
static s64 sys_write(u64 file, u64 address, u64 count)
{
    struct task *task = current_task();
    if (file != 1)
        return -EINVAL;
    if (!user_range(address, count))
        return -EFAULT;
    u64 room = sizeof task->output - task->output_used;
    u64 taken = count < room ? count : room;
    u64 missing = copy_user(task->output + task->output_used, (const void *)address, taken);
    if (missing)
        return -EFAULT;
    task->output_used += taken;
    return (s64)count;
}

static s64 sys_sched_yield(void)
{
    schedule();
    return 0;
}

static s64 sys_nanosleep(u64 nanoseconds)
{
    u64 count = (nanoseconds + NANOSECONDS_PER_TICK - 1) / NANOSECONDS_PER_TICK;
    sleep_until(ticks + count);
    return 0;
}

static s64 sys_getpid(void)
{
    return current_task()->pid;
}

static s64 sys_exit(u64 code)
{
    task_exit(code);
}

/* A base beyond the lower half is refused: paranoid_entry takes a negative GS base for the kernel's
 * own (H1). */
static s64 sys_arch_prctl(u64 code, u64 address)
{
    struct task *task = current_task();
    if (address >= USER_END)
        return -EINVAL;
    if (code == ARCH_SET_FS)
        task->fs_base = address;
    else if (code == ARCH_SET_GS)
        task->gs_base = address;
    else
        return -EINVAL;
    u64 flags = interrupts_save();
    load_task_bases(task->fs_base, task->gs_base);
    interrupts_restore(flags);
    return 0;
}

static s64 sys_unknown(void)
{
    return -ENOSYS;
}

/* The functions take their arguments as C does, RDI RSI RDX RCX; system_call calls them. */
const void *const system_call_table[SYSCALL_COUNT] = {
    [0] = (const void *)sys_unknown,
    [SYSCALL_WRITE] = (const void *)sys_write,
    [SYSCALL_WRITE + 1 ... SYSCALL_SCHED_YIELD - 1] = (const void *)sys_unknown,
    [SYSCALL_SCHED_YIELD] = (const void *)sys_sched_yield,
    [SYSCALL_SCHED_YIELD + 1 ... SYSCALL_NANOSLEEP - 1] = (const void *)sys_unknown,
    [SYSCALL_NANOSLEEP] = (const void *)sys_nanosleep,
    [SYSCALL_NANOSLEEP + 1 ... SYSCALL_GETPID - 1] = (const void *)sys_unknown,
    [SYSCALL_GETPID] = (const void *)sys_getpid,
    [SYSCALL_GETPID + 1 ... SYSCALL_EXIT - 1] = (const void *)sys_unknown,
    [SYSCALL_EXIT] = (const void *)sys_exit,
    [SYSCALL_EXIT + 1 ... SYSCALL_ARCH_PRCTL - 1] = (const void *)sys_unknown,
    [SYSCALL_ARCH_PRCTL] = (const void *)sys_arch_prctl,
    [SYSCALL_ARCH_PRCTL + 1 ... SYSCALL_LGUEST_INIT - 1] = (const void *)sys_unknown,
    [SYSCALL_LGUEST_INIT] = (const void *)sys_lguest_init,
    [SYSCALL_LGUEST_RUN] = (const void *)sys_lguest_run,
};
