// What a program meets at the border to its kernel: faults, single steps and shadows, as signals
// tell of them. Built for 64- and for 32-bit user mode, without a C library, from this one file. As
// process 1 of an emulated Linux it runs the 32-bit program after itself and powers off.
//
// A case is a few instructions on a page of their own. For every signal one group is printed:
// signal.code.vector.error.offset.flags, in hexadecimal, and the distance of the address from the
// page where a page fault has one. Two processors that agree print the same text.

#if defined(__x86_64__) || defined(__i386__)

typedef unsigned long word;
typedef unsigned char byte;

#ifdef __x86_64__
enum { SYS_write = 1, SYS_mmap = 9, SYS_sigaction = 13, SYS_getpid = 39, SYS_exit = 60,
       SYS_fork = 57, SYS_execve = 59, SYS_wait4 = 61, SYS_reboot = 169, SYS_altstack = 131 };
enum { CONTEXT = 40, RSP = 15, RIP = 16, FLAGS = 17, ERROR = 19, VECTOR = 20, CR2 = 22 };
#define NAME "probe64"

static long call(long n, word a, word b, word c, word d, word e, word f) {
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    register word r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "+a"(n) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return n;
}

__asm__("restorer: mov $15, %eax\n syscall\n"
        ".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n"
        // enter(code, flags): calls the case with these flags; `leave` is where faults go.
        "enter: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        " mov %rsp, saved(%rip)\n push %rsi\n popf\n call *%rdi\n"
        "leave: mov saved(%rip), %rsp\n push $0x202\n popf\n"
        " pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n ret\n");
#else
enum { SYS_write = 4, SYS_mmap = 192, SYS_sigaction = 174, SYS_getpid = 20, SYS_exit = 1,
       SYS_altstack = 186 };
enum { CONTEXT = 20, RSP = 7, RIP = 14, FLAGS = 16, ERROR = 13, VECTOR = 12, CR2 = 21 };
#define NAME "probe32"

__asm__("gate: push %ebp; push %ebx; push %esi; push %edi\n"
        " mov 20(%esp), %eax; mov 24(%esp), %ebx; mov 28(%esp), %ecx; mov 32(%esp), %edx\n"
        " mov 36(%esp), %esi; mov 40(%esp), %edi; mov 44(%esp), %ebp\n int $0x80\n"
        " pop %edi; pop %esi; pop %ebx; pop %ebp\n ret\n"
        "restorer: mov $173, %eax\n int $0x80\n"
        ".globl _start\n_start: mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n push %eax\n"
        " call start\n"
        "enter: mov 4(%esp), %eax\n mov 8(%esp), %ecx\n"
        " push %ebx; push %ebp; push %esi; push %edi\n mov %esp, saved\n push %ecx\n popf\n"
        " call *%eax\n"
        "leave: mov saved, %esp\n push $0x202\n popf\n pop %edi; pop %esi; pop %ebp; pop %ebx\n"
        " ret\n");
long gate(long, word, word, word, word, word, word);

static long call(long n, word a, word b, word c, word d, word e, word f) {
    return gate(n, a, b, c, d, e, f);
}
#endif

void restorer(void);
void leave(void);
void enter(word code, word flags);
word saved;

enum { PAGE = 0x10000000, DATA = 0x10002000, HOLE = 0x10010000, TF = 0x100, AC = 0x40000 };

static char line[4096];
static int length;

static void text(const char *s) {
    while (*s && length < (int)sizeof line - 40) line[length++] = *s++;
}

static void number(word value) {
    int shift = 8 * (int)sizeof value - 4;
    while (shift > 0 && !(value >> shift)) shift -= 4;
    for (; shift >= 0 && length < (int)sizeof line - 40; shift -= 4)
        line[length++] = "0123456789abcdef"[value >> shift & 15];
}

// A difference that means nothing must not be printed: addresses outside the pages of a case, and
// IF, which is always set.
static void handler(int signal, int *info, byte *context) {
    word *saved_registers = (word *)(context + CONTEXT);
    word offset = saved_registers[RIP] - PAGE;
    if (offset >= 0x1000 && signal == 5) return;
    text(" ");
    number((word)signal);
    text(".");
    number((word)info[2] & 0xFFFF);
    text(".");
    number(saved_registers[VECTOR] & 0xFF);
    text(".");
    number(saved_registers[ERROR] & 0xFFFF);
    text(".");
    if (offset < 0x20000) number(offset); else text("out");
    text(".");
    number(saved_registers[FLAGS] & 0x57DD7);
    if ((saved_registers[VECTOR] & 0xFF) == 14) {
        text("@");
        number(saved_registers[CR2] - PAGE);
    }
    if (signal == 5) return;
    saved_registers[RIP] = (word)leave;
    saved_registers[FLAGS] = 0x202;
}

struct action { word handler, flags, restorer, mask[8 / sizeof(word)]; };
struct stack { word base; int flags; word size; };

struct test {
    const char *name;
    word flags;
    byte bytes[40];
};

// Each ends with RET where no signal leaves it, or with UD2 after 32-bit code, which may cut RSP.
static const struct test tests[] = {
    {"step", TF, {0x90, 0x50, 0x58, 0x9C, 0x58, 0xC3}},
    {"step over a load of SS", TF, {0x8C, 0xD0, 0x8E, 0xD0, 0x90, 0x90, 0xC3}},
    {"step through two loads of SS", TF, {0x8C, 0xD0, 0x8E, 0xD0, 0x8E, 0xD0, 0x90, 0x90, 0xC3}},
    {"step through a repeated store", TF,
     {0xBF, 0, 0x20, 0, 0x10, 0xB9, 3, 0, 0, 0, 0xF3, 0xAA, 0x90, 0xC3}},
    {"step to a breakpoint", TF, {0x90, 0xCC, 0x90, 0xC3}},
    {"INT3 of two bytes", 0, {0xCD, 3, 0xC3}},
    {"step through a fault", TF, {0x90, 0x0F, 0x0B, 0xC3}},
#ifdef __x86_64__
    {"step through SYSCALL", TF, {0xB8, 39, 0, 0, 0, 0x0F, 0x05, 0x90, 0x90, 0xC3}},
    {"step through INT 80", TF, {0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0x90, 0x90, 0xC3}},
    // PUSH of CS 23 and of the 32-bit part, RETF; there a far JMP back.
    {"to 32-bit code and back", 0,
     {0x6A, 0x23, 0x68, 0x10, 0, 0, 0x10, 0x48, 0xCB, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
      0xEA, 0x20, 0, 0, 0x10, 0x33, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
      0xCC, 0x0F, 0x0B}},
    {"step to 32-bit code and back", TF,
     {0x6A, 0x23, 0x68, 0x10, 0, 0, 0x10, 0x48, 0xCB, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
      0xEA, 0x20, 0, 0, 0x10, 0x33, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
      0xCC, 0x0F, 0x0B}},
    {"address not canonical", 0,
     {0x48, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x8A, 0x00, 0xC3}},
    {"stack not canonical", 0,
     {0x48, 0xBC, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x50, 0xC3}},
    {"jump not canonical", 0,
     {0x48, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0x80, 0xFF, 0xE0, 0xC3}},
    {"the kernel's memory", 0, {0x48, 0xC7, 0xC0, 0, 0, 0, 0x80, 0x8A, 0x00, 0xC3}},
#else
    {"step through INT 80", TF, {0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0x90, 0x90, 0xC3}},
    {"BOUND", 0, {0xB8, 9, 0, 0, 0, 0x62, 0x05, 0, 0x20, 0, 0x10, 0xC3}},
    {"INTO", 0, {0xB8, 0xFF, 0xFF, 0xFF, 0x7F, 0x40, 0xCE, 0xC3}},
    {"stack segment null", 0, {0x31, 0xC0, 0x8E, 0xD0, 0xC3}},
    {"to 64-bit code and back", 0,
     {0xEA, 0x0A, 0, 0, 0x10, 0x33, 0, 0x90, 0x90, 0x90, 0x48, 0x31, 0xC0, 0x6A, 0x23, 0x68,
      0x20, 0, 0, 0x10, 0x48, 0xCB, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
      0xCC, 0xC3}},
#endif
    {"division by zero", 0, {0x31, 0xC9, 0xF7, 0xF1, 0xC3}},
    {"undefined", 0, {0x0F, 0x0B, 0xC3}},
    {"LOCK of a register", 0, {0xF0, 0x01, 0xC0, 0xC3}},
    {"sixteen bytes", 0, {0x2E, 0x2E, 0x2E, 0x2E, 0x2E, 0x2E, 0x2E, 0x2E, 0x2E, 0x2E, 0x2E, 0x2E,
                          0x2E, 0x2E, 0x2E, 0x90, 0xC3}},
    {"HLT", 0, {0xF4, 0xC3}},
    {"CLI", 0, {0xFA, 0xC3}},
    {"IN", 0, {0xE4, 0x60, 0xC3}},
    {"INT 81", 0, {0xCD, 0x81, 0xC3}},
    {"INT 4", 0, {0xCD, 4, 0xC3}},
    {"MOV from CR0", 0, {0x0F, 0x20, 0xC0, 0xC3}},
    {"MOV from DR7", 0, {0x0F, 0x21, 0xF8, 0xC3}},
    {"RDMSR", 0, {0x0F, 0x32, 0xC3}},
    {"a supervisor's segment", 0, {0xB8, 0x10, 0, 0, 0, 0x8E, 0xD8, 0xC3}},
    {"a segment beyond the table", 0, {0xB8, 0xF3, 0xFF, 0, 0, 0x8E, 0xD8, 0xC3}},
    {"a segment of no LDT", 0, {0xB8, 0x27, 1, 0, 0, 0x8E, 0xC0, 0xC3}},
    {"read of a hole", 0, {0xB8, 0, 0, 1, 0x10, 0x8A, 0x00, 0xC3}},
    {"write to a hole", 0, {0xB8, 4, 0, 1, 0x10, 0x88, 0x00, 0xC3}},
    {"write to code", 0, {0xB8, 4, 0, 0, 0x10, 0x88, 0x00, 0xC3}},
    {"call of a hole", 0, {0xB8, 4, 0, 1, 0x10, 0xFF, 0xD0, 0xC3}},
    {"call of data", 0, {0xB8, 4, 0x20, 0, 0x10, 0xFF, 0xD0, 0xC3}},
    {"misaligned", AC, {0xB8, 1, 0x20, 0, 0x10, 0x8B, 0x00, 0xC3}},
    {"misaligned store across pages to a hole", 0,
     {0xB8, 0xFE, 0x2F, 0, 0x10, 0x89, 0x00, 0xC3}},
    // FLDCW of 0x37B from data + 16: division by zero unmasked; FLD1, FLDZ, FDIVP, FWAIT.
    {"x87 division by zero", 0,
     {0xDB, 0xE3, 0xB8, 0x10, 0x20, 0, 0x10, 0xD9, 0x28, 0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9,
      0x9B, 0xC3}},
    // LDMXCSR of 0x1D80 from data + 20; XORPS XMM0; DIVPS XMM0, XMM0.
    {"SSE invalid operation", 0,
     {0xB8, 0x14, 0x20, 0, 0x10, 0x0F, 0xAE, 0x10, 0x0F, 0x57, 0xC0, 0x0F, 0x5E, 0xC0, 0xC3}},
};

static word map(word at, word protection) {
    // PRIVATE, FIXED, ANONYMOUS.
    return (word)call(SYS_mmap, at, 0x1000, protection, 0x32, (word)-1, 0);
}

static void copy(volatile byte *to, const byte *from, int count) {
    for (int n = 0; n < count; n++) to[n] = from[n];
}

static void run(const struct test *test) {
    length = 0;
    text(NAME " ");
    text(test->name);
    text(":");
    map(PAGE, 3);
    copy((byte *)PAGE, test->bytes, sizeof test->bytes);
    // PROT_READ | PROT_EXEC; the number of mprotect.
    call(sizeof(word) == 8 ? 10 : 125, PAGE, 0x1000, 5, 0, 0, 0);
    map(DATA, 3);
    *(volatile unsigned *)(DATA + 4) = 5;
    *(volatile unsigned *)(DATA + 16) = 0x37B;
    *(volatile unsigned *)(DATA + 20) = 0x1D00;
    enter(PAGE, 0x202 | test->flags);
    __asm__ volatile("fninit");
    text("\n");
    call(SYS_write, 1, (word)line, (word)length, 0, 0, 0);
}

static byte alternate[65536];

__attribute__((used)) void start(word *stack) {
    (void)stack;
    struct stack other = {(word)alternate, 0, sizeof alternate};
    call(SYS_altstack, (word)&other, 0, 0, 0, 0, 0);
    // SIGINFO, RESTORER, ONSTACK, NODEFER.
    struct action action = {(word)handler, 0x4C000004, (word)restorer, {0}};
    static const byte signals[] = {4, 5, 7, 8, 11};
    for (unsigned n = 0; n < sizeof signals; n++)
        call(SYS_sigaction, signals[n], (word)&action, 0, 8, 0, 0);
    for (unsigned n = 0; n < sizeof tests / sizeof *tests; n++) run(&tests[n]);
#ifdef __x86_64__
    if (call(SYS_getpid, 0, 0, 0, 0, 0, 0) == 1) {
        static char *arguments[] = {"/probe32", 0};
        if (call(SYS_fork, 0, 0, 0, 0, 0, 0) == 0) {
            call(SYS_execve, (word)arguments[0], (word)arguments, (word)(arguments + 1), 0, 0, 0);
            call(SYS_exit, 127, 0, 0, 0, 0, 0);
        }
        call(SYS_wait4, (word)-1, 0, 0, 0, 0, 0);
        call(SYS_reboot, 0xFEE1DEAD, 672274793, 0x4321FEDC, 0, 0, 0);
    }
#endif
    call(SYS_exit, 0, 0, 0, 0, 0, 0);
    __builtin_trap();
}

#endif
