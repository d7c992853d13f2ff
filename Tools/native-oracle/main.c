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
    // Set in `request.length` for a case in 32-bit mode.
    compatibility = 0x80,
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
    uint8_t length; // of `bytes`, with `compatibility`
    uint8_t bytes[15];
    uint64_t registers[16];
    uint64_t flags;
    struct vector_state vectors;
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
    uint64_t changed;
};

static struct request current;
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

static int read_request(void) {
    static uint8_t input[1 << 16];
    static size_t at, have;
    size_t done = 0;
    while (done < sizeof current) {
        if (at == have) {
            ssize_t n = read(0, input, sizeof input);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return 0;
            at = 0;
            have = n;
        }
        size_t take = sizeof current - done;
        if (take > have - at)
            take = have - at;
        memcpy((uint8_t *)&current + done, input + at, take);
        done += take;
        at += take;
    }
    return 1;
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
    uint8_t *at = code_alias + code_start;
    memset(at, 0xCC, 16);
    memcpy(at, current.bytes, current.length & ~compatibility);
    for (int i = 0; i < 16; i++)
        g[context_register[i]] = current.registers[i];
    g[REG_EFL] = current.flags;
    g[REG_RIP] = (uint64_t)code + code_start;
    // CS is the lowest of the four selectors in this word.
    int selector = current.length & compatibility ? code32_selector : code64_selector;
    g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xFFFFll) | selector;

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

static void on_signal(int number, siginfo_t *info, void *context) {
    // A case may have had alignment checked, which would reach into this function.
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~0x40000ull);
    (void)number, (void)info;
    if (started)
        report(context);
    started = 1;
    if (!read_request()) {
        flush_output();
        _exit(0);
    }
    enter(context);
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
