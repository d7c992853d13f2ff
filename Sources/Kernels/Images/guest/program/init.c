/* The first process: runs the workload and shuts down, or is a shell. */
#include "program.h"

void run_workload(u64 work) {
    struct output output;
    output.count = 0;
    output_text(&output, "init: workload ");
    output_number(&output, work);
    output_end_line(&output);
    phase_system_calls(work);
    phase_fork(work);
    phase_heap(work);
    phase_sleep(work);
    phase_faults(work);
}

/* fail=init-dies: the configuration file is missing, and main returns as any program would. */
static s64 read_configuration(void) {
    output_line("init: no configuration");
    return 1;
}

s64 program_main(void) {
    if (system_call(SYSTEM_OPTION, OPTION_INIT_DIES, 0, 0) != 0) {
        return read_configuration();
    }
    if (system_call(SYSTEM_OPTION, OPTION_SHELL, 0, 0) != 0) {
        run_shell();
    }
    run_probe((enum probe)system_call(SYSTEM_OPTION, OPTION_PROBE, 0, 0));
    run_workload((u64)system_call(SYSTEM_OPTION, OPTION_WORK, 0, 0));
    output_line("init: done");
    system_call(SYSTEM_SHUTDOWN, 0, 0, 0);
    return 2;
}
