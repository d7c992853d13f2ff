// Runs single instructions on the real processor, at CPL 3 in 64-bit or 32-bit (compatibility)
// mode, and reports what they did. It is the second opinion for the emulated processor's user half:
// see Tests/MachineTests/FamiliesNative*.swift for the other side and the generator.
//
// Standard input is a stream of `struct request`, standard output one `struct reply` for each,
// followed by `changed` pairs (offset, word) for the words of the data window that changed. The
// data window is filled with a fixed pattern before every case.
//
// A case with TF set in its flags ends with the single-step trap (vector 1) instead, or with that
// of the first iteration; one with AC set has alignment checked, as Linux sets CR0.AM.
//
// There is next to no assembly: a case is entered by returning from a signal handler with the
// case's registers in the saved context, and left by the signal of the INT3 that follows the
// instruction or of the exception that it raises. The handler works on an alternate stack, as RSP
// is a case's.

#if defined(__x86_64__) && defined(__linux__)

#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    window_bytes = 8192,
    code_bytes = 8192,
    // Instructions start here, so that short backward branches land on INT3 too.
    code_start = 4096 - 64,
    completed = 0xFF,
    // Set in `request.length` for a case in 32-bit mode; where a `struct patch` follows the
    // request; and where the case loads segment registers.
    compatibility = 0x80,
    patched = 0x40,
    segments = 0x20,
    length_bits = 0x0F,
    // Entries of the local descriptor table, which `local_entry` makes.
    local_entries = 24,
    // Linux's selectors for user code and data.
    code32_selector = 0x23,
    code64_selector = 0x33,
    data_selector = 0x2B,
};
static uint64_t *const window = (uint64_t *)0x10000000;
static uint8_t *const code = (uint8_t *)0x20000000;
static uint8_t *code_alias;

struct vector_state {
    uint64_t xmm[32];
    uint64_t x87[16]; // ST(0)... in 16 bytes each
    uint32_t mxcsr;
    uint16_t control;
    uint16_t status;
    uint16_t tags; // one bit for each physical register, as FXSAVE stores it
    uint16_t opcode;
    uint16_t padding[2];
    uint64_t instruction_pointer;
    uint64_t data_pointer;
};

struct request {
    uint8_t length; // of `bytes`, with `compatibility`, `patched` and `segments`
    uint8_t bytes[15];
    uint64_t registers[16];
    uint64_t flags;
    struct vector_state vectors;
};

// What the data window holds at a place, beside the pattern.
struct patch {
    uint16_t offset;
    uint16_t size;
    uint8_t bytes[1024];
};

struct reply {
    uint8_t vector; // an exception's, or `completed`
    uint8_t padding[3];
    uint32_t error_code;
    uint64_t cr2;
    uint64_t rip;
    uint64_t registers[16];
    uint64_t flags;
    struct vector_state vectors;
    uint16_t selectors[4]; // DS, ES, FS, GS
    uint64_t changed;
};

static struct request current;
static struct patch patch;
static uint16_t selectors[4];
static uint64_t fs_base;
static int has_local_table = 1;
static int started;
static uint64_t pattern[window_bytes / 8];

// The saved context's numbering of the registers, in encoding order.
static const int context_register[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static void fill_pattern(void) {
    uint64_t state = 0x243F6A8885A308D3;
    for (int i = 0; i < window_bytes / 8; i++) {
        state += 0x9E3779B97F4A7C15;
        uint64_t z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        z ^= z >> 31;
        // Every fourth word holds what random bits seldom are, read as numbers.
        switch (i % 4 == 3 ? z % 8 : 0) {
        case 1: z &= 0x800FFFFFFFFFFFFF; break; // a denormal double
        case 2: z |= 0x7FF0000000000000; break; // a NaN
        case 3: z = z & 0x8000000000000000; break; // a zero
        case 4: z &= 0x807FFFFF807FFFFF; break; // two denormal singles
        case 5: z |= 0x7F8000007F800000; break; // two NaNs
        case 6: z = (int64_t)z >> (z >> 4 & 63); break; // a small integer
        case 7: z = z >> 16 | 0x3FFFull << 48; break; // the top of an extended number near 1
        }
        pattern[i] = z;
    }
}

// Output is gathered, as a write for each case would cost more than the case.
static uint8_t output[1 << 16];
static size_t output_used;

static void flush_output(void) {
    for (size_t done = 0; done < output_used;) {
        ssize_t n = write(1, output + done, output_used - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(2);
        done += n;
    }
    output_used = 0;
}

static void emit(const void *data, size_t bytes) {
    if (output_used + bytes > sizeof output)
        flush_output();
    memcpy(output + output_used, data, bytes);
    output_used += bytes;
}

static int read_bytes(void *to, size_t size) {
    static uint8_t input[1 << 16];
    static size_t at, have;
    size_t done = 0;
    while (done < size) {
        if (at == have) {
            ssize_t n = read(0, input, sizeof input);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return 0;
            at = 0;
            have = n;
        }
        size_t take = size - done;
        if (take > have - at)
            take = have - at;
        memcpy((uint8_t *)to + done, input + at, take);
        done += take;
        at += take;
    }
    return 1;
}

static int read_request(void) {
    if (!read_bytes(&current, sizeof current))
        return 0;
    patch.size = 0;
    if (!(current.length & patched))
        return 1;
    return read_bytes(&patch, 4) && patch.size <= sizeof patch.bytes
        && patch.offset + patch.size <= window_bytes && read_bytes(patch.bytes, patch.size);
}

static void report(const ucontext_t *context) {
    const greg_t *g = context->uc_mcontext.gregs;
    struct reply reply = {0};
    reply.vector = g[REG_TRAPNO];
    reply.error_code = g[REG_ERR];
    reply.cr2 = g[REG_CR2];
    reply.rip = g[REG_RIP];
    uint64_t start = (uint64_t)code + code_start;
    if (reply.vector == 3) {
        reply.vector = completed;
        reply.rip -= 1;
    } else if (reply.vector == 14 && reply.error_code & 0x10 && reply.rip != start) {
        // It completed: the branch's target cannot be fetched.
        reply.vector = completed;
    }
    for (int i = 0; i < 16; i++)
        reply.registers[i] = g[context_register[i]];
    reply.flags = g[REG_EFL];

    const struct _libc_fpstate *f = context->uc_mcontext.fpregs;
    memcpy(reply.vectors.xmm, f->_xmm, 256);
    memcpy(reply.vectors.x87, f->_st, 128);
    reply.vectors.mxcsr = f->mxcsr;
    reply.vectors.control = f->cwd;
    reply.vectors.status = f->swd;
    reply.vectors.tags = f->ftw & 0xFF;
    reply.vectors.opcode = f->fop;
    reply.vectors.instruction_pointer = f->rip;
    reply.vectors.data_pointer = f->rdp;

    memcpy(reply.selectors, selectors, sizeof selectors);
    for (int i = 0; i < window_bytes / 8; i++)
        reply.changed += window[i] != pattern[i];
    emit(&reply, sizeof reply);
    for (int i = 0; i < window_bytes / 8 && reply.changed; i++) {
        if (window[i] != pattern[i]) {
            uint64_t pair[2] = {8 * i, window[i]};
            emit(pair, sizeof pair);
        }
    }
}

static void enter(ucontext_t *context) {
    greg_t *g = context->uc_mcontext.gregs;
    memcpy(window, pattern, window_bytes);
    memcpy((uint8_t *)window + patch.offset, patch.bytes, patch.size);
    uint8_t *at = code_alias + code_start;
    memset(at, 0xCC, 16);
    memcpy(at, current.bytes, current.length & length_bits);
    for (int i = 0; i < 16; i++)
        g[context_register[i]] = current.registers[i];
    g[REG_EFL] = current.flags;
    g[REG_RIP] = (uint64_t)code + code_start;
    // CS is the lowest of the four selectors in this word, SS the highest.
    int selector = current.length & compatibility ? code32_selector : code64_selector;
    g[REG_CSGSFS] = (uint64_t)data_selector << 48 | selector;

    struct _libc_fpstate *f = context->uc_mcontext.fpregs;
    memcpy(f->_xmm, current.vectors.xmm, 256);
    memcpy(f->_st, current.vectors.x87, 128);
    f->mxcsr = current.vectors.mxcsr;
    f->cwd = current.vectors.control;
    f->swd = current.vectors.status;
    f->ftw = current.vectors.tags;
    f->fop = current.vectors.opcode;
    f->rip = current.vectors.instruction_pointer;
    f->rdp = current.vectors.data_pointer;
    // Where the frame is in XSAVE form, its first header word says which components are not in
    // their initial state: x87 and SSE are not.
    uint32_t magic;
    memcpy(&magic, (uint8_t *)f + 464, 4);
    if (magic == 0x46505853) {
        uint64_t present;
        memcpy(&present, (uint8_t *)f + 512, 8);
        present |= 3;
        memcpy((uint8_t *)f + 512, &present, 8);
    }
}

static long set_base(int code, uint64_t base) {
    long result;
    // The C library's own call would look at FS first.
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_arch_prctl), "D"((long)code), "S"(base)
                     : "rcx", "r11", "memory");
    return result;
}

// What a case has loaded is noted, and the C library's and the next case's put back.
static void take_selectors(void) {
    __asm__ volatile("mov %%ds, %0\n\tmov %%es, %1\n\tmov %%fs, %2\n\tmov %%gs, %3"
                     : "=m"(selectors[0]), "=m"(selectors[1]), "=m"(selectors[2]),
                       "=m"(selectors[3]));
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(data_selector));
    __asm__ volatile("mov %0, %%fs\n\tmov %0, %%gs" : : "r"(0));
    set_base(0x1002, fs_base);
    set_base(0x1001, (uint64_t)window + 0x40);
}

static void on_signal(int number, siginfo_t *info, void *context) {
    // A case may have had alignment checked, which would reach into this function. NT and ID stay
    // as a case has left them.
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~0x244000ull);
    (void)number, (void)info;
    if (current.length & segments)
        take_selectors();
    if (started)
        report(context);
    started = 1;
    if (!read_request()) {
        flush_output();
        _exit(0);
    }
    // The host's kernel lets nobody have one.
    if (current.length & segments && !has_local_table)
        _exit(4);
    enter(context);
}

// Entry `n` of the local descriptor table: bits 0-1 its contents (data, expand-down, code,
// conforming code), 2 forbids the second right, 3 not present, 4 16-bit. Conforming code can only
// be absent.
static int local_entry(unsigned n) {
    struct user_desc d = {
        .entry_number = n,
        .base_addr = 0x10000000,
        .limit = 0xFFF,
        .seg_32bit = ~n >> 4,
        .contents = n,
        .read_exec_only = n >> 2,
        .seg_not_present = n >> 3 | ((n & 3) == 3),
        .useable = 1,
    };
    return syscall(SYS_modify_ldt, 0x11, &d, sizeof d) == 0;
}

int main(void) {
    fill_pattern();
    int file = memfd_create("code", 0);
    if (file < 0 || ftruncate(file, code_bytes))
        return 2;
    code_alias = mmap(0, code_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    void *c = mmap(code, code_bytes, PROT_READ | PROT_EXEC,
                   MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0);
    void *w = mmap(window, window_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (code_alias == MAP_FAILED || c != code || w != window)
        return 2;
    memset(code_alias, 0xCC, code_bytes);
    // ARCH_SET_GS: cases may use GS, which nothing here does; FS is the C library's.
    if (syscall(SYS_arch_prctl, 0x1001, (uint64_t)window + 0x40))
        return 2;

    if (syscall(SYS_arch_prctl, 0x1003, &fs_base))
        return 2;
    for (unsigned n = 0; n < local_entries; n++)
        has_local_table &= local_entry(n);

    // Flat data segments for 32-bit mode; 64-bit mode does not look at them.
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(data_selector));

    stack_t stack = {.ss_size = 1 << 18};
    stack.ss_sp = malloc(stack.ss_size);
    if (!stack.ss_sp || sigaltstack(&stack, 0))
        return 2;
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    const int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    for (int i = 0; i < 5; i++)
        if (sigaction(signals[i], &action, 0))
            return 2;
    raise(SIGTRAP);
    return 2;
}

#else

#include <stdio.h>

int main(void) {
    fputs("native-oracle: needs an x86-64 Linux host\n", stderr);
    return 3;
}

#endif
