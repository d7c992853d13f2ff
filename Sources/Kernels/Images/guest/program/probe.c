/* What a process can do to its kernel. Nothing, is what ought to be printed: the designs differ. */
#include "program.h"

s64 probe_read(const u64 *address);
s64 probe_hypercall(void);

static void read_kernel(void) {
    struct output output;
    output.count = 0;
    u64 word = (u64)probe_read((const u64 *)(GUEST_PAGE_OFFSET + GUEST_KERNEL_PHYS));
    output_text(&output, "probe: a process has read ");
    output_hex(&output, word);
    output_text(&output, " from its kernel");
    output_end_line(&output);
}

static void make_hypercall(void) {
    output_line(probe_hypercall() < 0 ? "probe: its kernel has refused the system call"
                                      : "probe: a process has made a hypercall");
}

void run_probe(enum probe probe) {
    if (probe == PROBE_NONE) {
        return;
    }
    s64 id = program_fork("prober");
    if (id == 0) {
        if (probe == PROBE_READ_KERNEL) {
            read_kernel();
        } else {
            make_hypercall();
        }
        program_exit(0);
    }
    if (program_wait(id) != 0) {
        output_line("probe: the process was stopped");
    }
}
