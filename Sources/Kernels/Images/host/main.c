/* The host's start, and its first task: it makes the others, waits for each in order, and ends the
 * run. */
#include "apic.h"
#include "console.h"
#include "cpu.h"
#include "design.h"
#include "memory.h"
#include "panic.h"
#include "process.h"
#include "strings.h"
#include "task.h"
#include "vcpu.h"

#define DEFAULT_WORKERS 2
#define MAX_WORKERS 8
#define DEFAULT_ROUNDS 400

extern u8 first_task_stack[];

/* For the observer (observer_note.h): whose guest decided the outcome. Its descriptor and saved
 * registers stay as they were at the guest's end. */
struct vcpu *ended_vcpu;

/* The value of a `host.` word on the command line, decimal. The guest's words are its own. */
static u64 option(const char *name, u64 otherwise)
{
    const char *at = boot_facts.command_line;
    while (*at) {
        while (*at == ' ')
            at++;
        if (string_starts(at, name) && at[string_length(name)] == '=') {
            u64 value = 0;
            for (at += string_length(name) + 1; *at >= '0' && *at <= '9'; at++)
                value = value * 10 + (u64)(*at - '0');
            return value;
        }
        while (*at && *at != ' ')
            at++;
    }
    return otherwise;
}

/* What a process wrote, under its name, once it has ended. */
static void report(struct task *task)
{
    wait_for(task);
    if (task->output_used)
        print("host: %s: ", task->name);
    console_write(task->output, task->output_used);
}

/* The outcome of the run is the worst of the guests'; its reason is that guest's. */
static u32 judge(struct task **launchers, u64 count)
{
    u32 outcome = EXIT_SHUTDOWN;
    format(end_reason, sizeof end_reason, count ? "the guest shut down" : "no guest was given");
    for (u64 n = 0; n < count; n++) {
        struct lguest *guest = &guests[n];
        if (guest->state == GUEST_ENDED && guest->outcome >= outcome) {
            outcome = guest->outcome;
            ended_vcpu = &guest->vcpu;
            format(end_reason, sizeof end_reason, "%s", guest->reason);
        } else if (guest->state != GUEST_ENDED) {
            /* Its launcher gave up on the image, or died. */
            outcome = EXIT_GUEST_KILLED;
            ended_vcpu = 0;
            format(end_reason, sizeof end_reason, "guest %u was never started: %s", n,
                   launchers[n]->output);
            u64 length = string_length(end_reason);
            if (length && end_reason[length - 1] == '\n')
                end_reason[length - 1] = 0;
        }
    }
    return outcome;
}

static const char *outcome_name(u32 outcome)
{
    return outcome == EXIT_SHUTDOWN ? "shutdown"
        : outcome == EXIT_GUEST_KILLED ? "guest killed"
        : outcome == EXIT_GUEST_PANIC ? "guest panic"
        : "host panic";
}

[[noreturn]] void host_main(u64 start_info)
{
    console_start();
    memory_read_start_info(start_info);
    u64 guest_mib = option("host.guest-memory", 0) & ~1UL;
    /* More guests than images were given: the last image again. */
    u64 guests = option("host.guests", boot_facts.module_count);
    memory_start(guests, guest_mib << 20);
    descriptors_start();
    tasks_start((u64)first_task_stack + TASK_STACK_SIZE);
    apic_start();
    /* Not the machine's memory: loaders differ in what they keep of it. */
    if (guest_count())
        print("host: design %s, %u guest(s) of %u MiB\n", DESIGN_NAME, guest_count(),
              guest_memory_size() >> 20);
    else
        print("host: design %s, no guest\n", DESIGN_NAME);

    u64 worker_count = option("host.workers", DEFAULT_WORKERS);
    u64 rounds = option("host.work", DEFAULT_ROUNDS);
    if (worker_count > MAX_WORKERS)
        worker_count = MAX_WORKERS;
    struct task *workers[MAX_WORKERS];
    struct task *launchers[MAX_GUESTS];
    u64 launcher_count = guest_count();
    for (u64 n = 0; n < worker_count; n++)
        workers[n] = worker_create(n, rounds);
    for (u64 n = 0; n < launcher_count; n++)
        launchers[n] = launcher_create(n);
    print("host: %u worker(s) of %u rounds\n", worker_count, rounds);

    for (u64 n = 0; n < worker_count; n++)
        task_ready(workers[n]);
    for (u64 n = 0; n < launcher_count; n++)
        task_ready(launchers[n]);
    apic_start_timer();
    interrupts_on();

    /* Launchers first: a guest writes to the console while it runs, and no line of ours may fall
     * among its lines at a place that depends on timing. */
    for (u64 n = 0; n < launcher_count; n++)
        report(launchers[n]);
    for (u64 n = 0; n < worker_count; n++)
        report(workers[n]);
    u32 outcome = judge(launchers, launcher_count);
    print("host: end of run: %s: %s\n", outcome_name(outcome), end_reason);
    end_run(outcome);
}
