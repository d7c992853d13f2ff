/* Phase 5: faults that the program handles itself, and faults it is killed for. */
#include "program.h"
#include "user_layout.h"

#define KINDS 6

s64 probe_read(const u64 *address);
s64 probe_write(u64 *address);
s64 probe_undefined(void);
s64 probe_privileged(void);
s64 probe_divide(u64 divisor);
void program_fault_return(void);

static const u64 constant = 5;
u64 data_word = 0x00c3c3c3;   /* RET, if data could be executed */
static u64 checksum;

/* Leaves the probe that faulted as if it had returned 1000 + vector. */
static void handler(struct fault_context *context) {
    checksum = mix(checksum, context->registers.vector);
    checksum = mix(checksum, context->address != 0);
    context->registers.rax = 1000 + context->registers.vector;
    context->registers.rip = *(u64 *)context->registers.rsp;
    context->registers.rsp += 8;
}

static s64 probe(u64 kind) {
    switch (kind) {
    case 0:
        return probe_read((const u64 *)0x10);
    case 1:
        return probe_undefined();
    case 2:
        return probe_divide(0);
    case 3:
        return probe_write((u64 *)&constant);
    case 4:
        return ((s64 (*)(void))&data_word)();
    default:
        return probe_privileged();
    }
}

static u64 handle_faults(u64 count) {
    static const s64 vectors[KINDS] = {14, 6, 0, 14, 14, 13};
    system_call(SYSTEM_FAULT_HANDLER, (u64)handler, (u64)program_fault_return, 0);
    for (u64 i = 0; i < count; i++) {
        require(probe(i % KINDS) == 1000 + vectors[i % KINDS], "a fault was not handled");
    }
    require(constant == 5, "a constant was overwritten");
    require(probe_divide(7) == 1, "a probe that does not fault went wrong");
    return checksum & 0xffffffff;
}

static s64 run_killed(const char *name, u64 kind) {
    s64 id = program_fork(name);
    if (id == 0) {
        probe(kind);
        program_exit(0);
    }
    return program_wait(id);
}

void fault_once(void) {
    require(run_killed("faulty", 0) == -1, "a process outlived its fault");
}

void phase_faults(u64 work) {
    s64 id = program_fork("handler");
    if (id == 0) {
        program_exit((s64)handle_faults(work + KINDS));
    }
    struct output output;
    output.count = 0;
    output_text(&output, "faults: ");
    output_number(&output, work + KINDS);
    output_text(&output, " handled, checksum ");
    output_hex(&output, (u64)program_wait(id));
    output_end_line(&output);
    require(run_killed("reader", 0) == -1, "a read of nothing was allowed");
    require(run_killed("writer", 3) == -1, "a write to a constant was allowed");
    require(run_killed("executor", 4) == -1, "execution of data was allowed");
    require(run_killed("halter", 5) == -1, "HLT was allowed");
}
