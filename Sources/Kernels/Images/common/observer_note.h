/* The ELF note by which a host image tells pvreplay's observer where the paravirt state is.
 * Name "pvreplay", type 1; the descriptor is an array of {u32 key, u32 zero, u64 value}. All
 * fields but those marked optional must be there. Addresses in host memory are physical.
 */
#ifndef OBSERVER_NOTE_H
#define OBSERVER_NOTE_H

#define NOTE_TYPE 1
#define NOTE_PDA_PHYS            1   /* physical address of CPU 0's PDA */
#define NOTE_PDA_STRIDE          2   /* bytes from one CPU's PDA to the next */
#define NOTE_PDA_VCPU            3   /* offset in the PDA of the VCPU pointer (kernel virtual) */
#define NOTE_DIRECT_MAP          4   /* virtual base at which the host maps physical 0 */
#define NOTE_TEXT_MAP            5   /* virtual base of the host's text mapping of physical 0 */
#define NOTE_VCPU_ID             6   /* offset in the descriptor: u32 id, from 0 */
#define NOTE_VCPU_KERNEL_MODE    7   /* offset: u32, 1 while the guest kernel runs, 0 guest user */
#define NOTE_VCPU_SHARED         8   /* offset: kernel virtual address of the shared page */
#define NOTE_SHARED_SIZE         9   /* bytes of the shared page in use */
#define NOTE_SHARED_FLAG        10   /* offset of the u32 hypercall flag */
#define NOTE_VCPU_SYSCALL       11   /* offset: system_call function pointer */
#define NOTE_VCPU_EXCEPTION     12   /* offset: exception function pointer */
#define NOTE_VCPU_MEMORY        13   /* offset: u64 physical base of the guest's memory */
#define NOTE_VCPU_MEMORY_SIZE   14   /* offset: u64 bytes */
#define NOTE_EXIT_SHUTDOWN      15   /* isa-debug-exit value: clean end */
#define NOTE_EXIT_HOST_PANIC    16
#define NOTE_EXIT_GUEST_KILLED  17
#define NOTE_EXIT_GUEST_PANIC   18
#define NOTE_REASON_PHYS        19   /* physical address of char[256]: why it ended, NUL-ended */
#define NOTE_DESIGN_PHYS        20   /* physical address of the design's name, NUL-ended */
#define NOTE_VCPU_FRAME         21   /* offset: u64 kernel virtual address of the guest registers
                                        saved at the last exit (struct guest_frame), or 0;
                                        optional, as all that follow */
#define NOTE_VCPU_ROOT          22   /* offset: u64 guest-physical address of the root in use */
#define NOTE_ENDED_VCPU_PHYS    23   /* physical address of a u64: kernel virtual address of the
                                        VCPU whose guest decided how the run ended, or 0 */
#define NOTE_SHARED_IRQ_ENABLED 24   /* offset in the shared page: u32, 0 while virtual interrupts
                                        are off */
/* Optional, for hosts that keep the pointer elsewhere or mark hypercalls otherwise. */
#define NOTE_TASK_VCPU          30   /* NOTE_PDA_VCPU is the offset of the current task's address
                                        (kernel virtual), and this one the pointer's in the task */
#define NOTE_VCPU_PHYS          31   /* physical address of CPU 0's pointer, which is in no PDA */
#define NOTE_VCPU_STRIDE        32   /* bytes from that one to the next CPU's; default 0 */
#define NOTE_HYPERCALL_MODE     33   /* 1: a SYSCALL of the guest kernel's is a hypercall, whatever
                                        the flag says */
#define NOTE_PDA_CURRENT        40   /* offset in the PDA of the running task's pointer */
#define NOTE_VCPU_CPU           41   /* offset: kernel virtual address of the guest's own
                                        CPU state */
#define NOTE_CPU_TRAPS          42   /* offset in that: u64[256], the guest kernel's handlers by
                                        vector, 0 where there is none */
#endif
