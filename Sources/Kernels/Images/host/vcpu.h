/* lguest: the VCPU descriptor, the guest CPU it points to, and the guest. */
#ifndef VCPU_H
#define VCPU_H

#include "layout.h"
#include "shadow.h"
#include "strings.h"
#include "task.h"

struct lguest;

/* The guest's own state of one of its CPUs: what its hypercalls have set. */
struct guest_cpu {
    u64 traps[256];      /* handlers; 0 = none */
    u64 system_call;     /* entry for the guest users' SYSCALLs; 0 = none */
    u64 kernel_stack;    /* for entries from guest user; 0 = none */
    struct shadow_root *root; /* the one in use */
    u64 timer_period;    /* host ticks; 0 = off */
    u64 timer_left;
    u64 launcher_rsp;    /* PDA.oldrsp of the launcher's LGUEST_RUN */
#if GUEST_GS_BASE
    u64 gs_base;         /* of CPL 3 */
#endif
    u32 halted;
    /* The last page fault given to the guest, to notice one that never ends. */
    u64 fault_rip, fault_address, fault_count;
    u64 run_rip, run_address, run_count; /* the one before it, and how often it came in a row */
    struct guest_frame frame_scratch; /* a frame on its way to or from the guest's stack */
};

/* The VCPU descriptor. Assembly reads the first fields, the observer all of them
 * (observer_note.h). */
struct vcpu {
    void (*system_call)(void); /* where a SYSCALL goes while this VCPU's guest runs */
    void (*exception)(void);   /* where an exception of CPL 3 goes likewise */
    struct guest_cpu *cpu;
    struct lguest *guest;
    u64 entry_stack;           /* top of the stack for events while the guest runs */
    u64 host_rsp;              /* where vcpu_leave returns to */
    u32 id;
    u32 kernel_mode;           /* 1 while the guest kernel runs */
    struct shared_page *shared;
    u64 memory;                /* physical address of guest-physical 0 */
    u64 memory_size;
    struct guest_frame *frame; /* registers at the last exit; NULL before the first */
    u64 guest_root;            /* guest-physical address of the root in use */
};
_Static_assert(offset_of(struct vcpu, system_call) == VCPU_SYSTEM_CALL, "vcpu");
_Static_assert(offset_of(struct vcpu, exception) == VCPU_EXCEPTION, "vcpu");
_Static_assert(offset_of(struct vcpu, cpu) == VCPU_CPU, "vcpu");
_Static_assert(offset_of(struct vcpu, guest) == VCPU_GUEST, "vcpu");
_Static_assert(offset_of(struct vcpu, entry_stack) == VCPU_ENTRY_STACK, "vcpu");
_Static_assert(offset_of(struct vcpu, host_rsp) == VCPU_HOST_RSP, "vcpu");
_Static_assert(offset_of(struct vcpu, id) == VCPU_ID, "vcpu");
_Static_assert(offset_of(struct vcpu, kernel_mode) == VCPU_KERNEL_MODE, "vcpu");
_Static_assert(offset_of(struct vcpu, shared) == VCPU_SHARED, "vcpu");
_Static_assert(offset_of(struct vcpu, memory) == VCPU_MEMORY, "vcpu");
_Static_assert(offset_of(struct vcpu, memory_size) == VCPU_MEMORY_SIZE, "vcpu");
_Static_assert(offset_of(struct vcpu, frame) == VCPU_FRAME, "vcpu");
_Static_assert(offset_of(struct vcpu, guest_root) == VCPU_GUEST_ROOT, "vcpu");
_Static_assert(sizeof(struct vcpu) == VCPU_SIZE, "vcpu");
_Static_assert(offset_of(struct guest_cpu, traps) == GUEST_CPU_TRAPS, "guest_cpu");

enum guest_state { GUEST_NONE, GUEST_READY, GUEST_RUNNING, GUEST_ENDED };

/* What all VCPUs of a guest share. */
struct lguest {
    u32 state;
    u32 outcome; /* EXIT_ value, once ended */
    u64 number;
    struct task *launcher;
    struct vcpu vcpu;
    struct guest_cpu cpu;
    struct shadow shadow;
    u32 greeted; /* INIT has been called */
    char reason[256];
};

#define MAX_GUESTS 4
extern struct lguest guests[MAX_GUESTS];

/* lguest.c: the launcher's system calls, the tick, and the end of a guest. */
s64 sys_lguest_init(u64 entry, u64 root, u64 boot_info);
s64 sys_lguest_run(void);
void guests_tick(u64 console_waiting);
/* Each leaves the guest at once, from anywhere on its entry stack. */
[[noreturn]] void guest_kill(struct vcpu *vcpu, const char *text, ...);
[[noreturn]] void guest_end(struct vcpu *vcpu, u32 outcome, const char *text, ...);

/* guest_switch.c: into and out of a guest, and from one of its contexts to the other. */
void guest_switch_in(struct vcpu *vcpu);
void guest_switch_out(struct vcpu *vcpu);
/* Loads the shadow root of the context that runs next. */
void guest_load_root(struct vcpu *vcpu);
void vcpu_enter(struct vcpu *vcpu);
[[noreturn]] void vcpu_leave(struct vcpu *vcpu);

/* guest_events.c */
void lguest_handle_system_call(struct guest_frame *frame);
void lguest_handle_exception(struct guest_frame *frame);
void lguest_return_work(struct guest_frame *frame);
/* Stores `frame` on the guest's kernel stack and makes it the guest's next instruction to be
 * `handler`. */
void guest_reflect(struct vcpu *vcpu, struct guest_frame *frame, u64 vector, u64 error,
                   u64 handler);

/* hypercalls.c */
void guest_hypercall(struct vcpu *vcpu, struct guest_frame *frame);

/* traps.c */
const char *vector_name(u64 vector);

#endif
