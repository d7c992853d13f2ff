/* What a host and its paravirt guest agree on: the RFC's shared page, hypercalls, and the frames
 * that the host stores on the guest's stack. GUEST_ABI.md is the prose of this file; the observer
 * learns the host-private part from the ELF note (observer_note.h). Included by C and assembly.
 */
#ifndef PARAVIRT_ABI_H
#define PARAVIRT_ABI_H

/* Guest address space: all of the ABI that a guest is built for. Either the guest moved (RFC "we're
 * thinking of moving the guest's PAGE_OFFSET"): its direct map of guest-physical memory lies in
 * PML4 slot 256, below the host's in slot 258, where 2.6 has it. Or the host did ("instead of the
 * Host"): the guest's is in slot 258, and the host's above it in slot 272. The host's text is in
 * slot 511 either way. Every guest root holds the host's slots, supervisor-only. Guest user space
 * is the lower half. */
#if MOVES_HOST
#define GUEST_PAGE_OFFSET    0xffff810000000000
#define GUEST_SHARED_PAGE    0xffff87f000000000    /* + 4096 x VCPU id; kernel only */
#define GUEST_HOLE_START     0xffff880000000000    /* nothing of the guest's from here ... */
#else
#define GUEST_PAGE_OFFSET    0xffff800000000000
#define GUEST_SHARED_PAGE    0xffff80f000000000
#define GUEST_HOLE_START     0xffff810000000000
#endif
#define GUEST_HOLE_END       0xffffffffffffffff    /* ... to here */
#define GUEST_UPPER_START    0xffff800000000000
#define GUEST_KERNEL_PHYS    0x100000              /* the guest image's first load address */
#define GUEST_BOOT_INFO_PHYS 0x1000                /* struct boot_info at start */

/* Virtual CS values in frames (domain: the guest's `CS & 3` test must work). */
#define GUEST_VIRTUAL_KERNEL_CS 0x10
#define GUEST_VIRTUAL_KERNEL_SS 0x18
#define GUEST_VIRTUAL_USER_CS   0x33
#define GUEST_VIRTUAL_USER_SS   0x2b

/* The shared page, one a VCPU; the first 64 bytes are defined, the rest is zero. */
#define SHARED_HYPERCALL_FLAG  0   /* u32: set by the guest kernel just before a hypercall */
#define SHARED_IRQ_ENABLED     4   /* u32: 0x200 or 0, RFLAGS.IF's place, as in lguest */
#define SHARED_IRQ_PENDING     8   /* u32: bit n = virtual interrupt n waits (host sets) */
#define SHARED_VCPU_ID        12   /* u32 */
#define SHARED_CR2            16   /* u64: address of the page fault being delivered */
#define SHARED_TICKS          24   /* u64: virtual timer ticks raised so far */
#define SHARED_CONSOLE_READY  32   /* u32: console input bytes waiting at the host */
#define SHARED_SIZE           64

/* Hypercalls: set the flag, then SYSCALL with RAX = number, RDI RSI RDX R10 = arguments; RAX is
 * the result (0 or a positive value; -1 if refused), RCX and R11 are lost. Numbers 1...31 follow
 * lguest's table where it has the call. */
#define HYPERCALL_INIT           1  /* (u64 abi_version): must come first */
#define HYPERCALL_CRASH          2  /* (char *message): guest panic; does not return */
#define HYPERCALL_NEW_PGTABLE    4  /* (u64 root, guest-physical): load root */
#define HYPERCALL_FLUSH_TLB      5  /* (): forget all that was derived from the guest's tables */
#define HYPERCALL_LOAD_IDT_ENTRY 6  /* (u64 vector, u64 handler) */
#define HYPERCALL_SET_STACK      7  /* (u64 rsp): kernel stack for entries from guest user */
#define HYPERCALL_SET_SYSCALL    8  /* (u64 entry): where guest user's SYSCALLs go */
#define HYPERCALL_TIMER_READ     9  /* () -> host ticks since boot */
#define HYPERCALL_TIMER_START   10  /* (u64 period in host ticks; 0 stops) */
#define HYPERCALL_HALT          11  /* (): wait for a virtual interrupt; enables them */
#define HYPERCALL_SET_PTE       16  /* (u64 root, u64 va): the guest changed the mapping of va */
#define HYPERCALL_RELEASE_PGD   17  /* (u64 root): the guest frees this root */
#define HYPERCALL_IRET          27  /* (): return through the struct guest_frame at RSP */
#define HYPERCALL_UPDATE_GS     36  /* (u64 base): where the host can bear it */
#define HYPERCALL_YIELD         30  /* (): give the processor to the host's other tasks */
#define HYPERCALL_PRINT         60  /* (char *bytes, u64 count) -> count written */
#define HYPERCALL_CONSOLE_READ  61  /* (char *bytes, u64 capacity) -> count read, may be 0 */
#define HYPERCALL_SHUTDOWN      62  /* (u64 code): clean end; does not return */
#define HYPERCALL_INVLPG        63  /* (u64 va): as SET_PTE for the current root */
#define PARAVIRT_ABI_VERSION     1

/* Virtual interrupts: bit n of SHARED_IRQ_PENDING arrives as vector 32 + n. */
#define VIRTUAL_IRQ_TIMER   0
#define VIRTUAL_IRQ_CONSOLE 1
#define VIRTUAL_IRQ_BASE    32

/* The frame that the host stores on the guest's kernel stack, lowest address first, for system
 * calls, exceptions and virtual interrupts alike. On entry RSP points to it, RCX holds the entry
 * address (it is a SYSRET-style return, as the RFC says), virtual interrupts are off. From guest
 * user the frame lies below the stack of SET_STACK; from guest kernel below RSP, 16-aligned. */
#define FRAME_R15     0
#define FRAME_R14     8
#define FRAME_R13    16
#define FRAME_R12    24
#define FRAME_RBP    32
#define FRAME_RBX    40
#define FRAME_R11    48
#define FRAME_R10    56
#define FRAME_R9     64
#define FRAME_R8     72
#define FRAME_RAX    80
#define FRAME_RCX    88
#define FRAME_RDX    96
#define FRAME_RSI   104
#define FRAME_RDI   112
#define FRAME_VECTOR 120  /* vector, or 0x100 for a system call */
#define FRAME_ERROR 128
#define FRAME_RIP   136
#define FRAME_CS    144
#define FRAME_RFLAGS 152  /* IF is the virtual one */
#define FRAME_RSP   160
#define FRAME_SS    168
#define FRAME_SIZE  176
#define FRAME_VECTOR_SYSCALL 0x100

#ifndef __ASSEMBLER__
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long s64;

struct shared_page {
    volatile u32 hypercall_flag;
    volatile u32 irq_enabled;
    volatile u32 irq_pending;
    volatile u32 vcpu_id;
    volatile u64 cr2;
    volatile u64 ticks;
    volatile u32 console_ready;
    volatile u32 reserved[7];
};
_Static_assert(sizeof(struct shared_page) == SHARED_SIZE, "shared page layout");

struct guest_frame {
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u64 vector, error, rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct guest_frame) == FRAME_SIZE, "frame layout");

/* At guest-physical GUEST_BOOT_INFO_PHYS when the guest starts at its ELF entry with RDI = its
 * address in the guest's direct map, RSP = 0, virtual interrupts off, and `root` loaded: a page
 * table in guest memory that maps the direct map (all of guest-physical memory, 2 MiB pages). */
struct boot_info {
    u64 abi_version;
    u64 memory_size;        /* bytes of guest-physical memory, a multiple of 2 MiB */
    u64 free_start;         /* guest-physical; all from here to memory_size is free */
    u64 root;               /* guest-physical address of the initial PML4 */
    u64 shared_page;        /* virtual address of this VCPU's shared page */
    u64 host_tick_cycles;   /* time-stamp cycles a host tick lasts */
    char command_line[1024];
};
#endif
#endif
