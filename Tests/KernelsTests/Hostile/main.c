/* attack=NAME makes one attack of attacks.c; seed=N does 3,000 harmful things at random, and with
 * the word gs-base after it sets GS bases too (which a host that allows none kills it for). */
#include "hostile.h"

#define STEPS 3000
#define TRAP_LIMIT 200
#define TABLES 8
#define TABLE(n) (0x10000UL + (n) * 4096)

static u64 state;
static u64 traps;
static u64 memory_size;
static int single;
static int bases;

static u64 text_length(const char *text)
{
    u64 length = 0;
    while (text[length])
        length++;
    return length;
}

void say(const char *text)
{
    hypercall(HYPERCALL_PRINT, (u64)text, text_length(text), 0);
}

void say_number(const char *text, u64 number)
{
    char digits[24];
    u64 at = sizeof digits - 1;
    digits[at] = 0;
    digits[--at] = '\n';
    do {
        digits[--at] = "0123456789abcdef"[number & 15];
        number >>= 4;
    } while (number);
    say(text);
    say(digits + at);
}

static u64 random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* A number at random, often one at the edge of something. */
static u64 value(void)
{
    static const u64 edges[] = {
        0, 1, 2, 0x1000, 0x1008, 0x7fffffffffff, 0x800000000000, 0xffff800000000000,
        0xffff800000001000, 0xffff80ffffffffff, 0xffff808000000000, 0xffff80f000000000,
        0xffff810000000000, 0xffff810000200000, 0xffffffff80200000, 0xffffffffffffffff,
        0xfffffffffffff000, 0x8000000000000000, 255, 256, 4096, 4095,
    };
    switch (random() % 6) {
    case 0:
        return random();
    case 1:
        return random() % memory_size;
    case 2:
        return random() % memory_size & ~0xfffUL;
    case 3:
        return AT(random() % memory_size);
    case 4:
        return random() % 64;
    default:
        return edges[random() % (sizeof edges / sizeof edges[0])];
    }
}

static u64 any_hypercall(void)
{
    static const u8 known[] = {1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 27, 30, 60, 61, 62, 63};
    if (bases && random() % 16 == 0)
        return HYPERCALL_UPDATE_GS;
    u64 number = random() % 200 == 0 ? random() % 70 : known[random() % sizeof known];
    int ends = number == HYPERCALL_CRASH || number == HYPERCALL_SHUTDOWN;
    int cripples = number >= HYPERCALL_LOAD_IDT_ENTRY && number <= HYPERCALL_SET_SYSCALL;
    if ((ends && random() % 16) || (cripples && random() % 8) || number == HYPERCALL_HALT)
        return HYPERCALL_TIMER_READ;
    return number;
}

static void harm(void)
{
    u64 *table = (u64 *)AT(TABLE(random() % TABLES));
    switch (random() % 12) {
    case 0:
        forbidden(random() % forbidden_count);
        return;
    case 1: {
        volatile u64 *anywhere = (volatile u64 *)value();
        if (random() & 1)
            *anywhere = value();
        else
            (void)*anywhere;
        return;
    }
    case 2: /* the tables in use */
        if (random() % 4 == 0)
            ((u64 *)AT(ROOT + random() % 4 * 4096))[random() % 512] =
                (value() & ~0xfffUL) | random() % 4096 | 1;
        return;
    case 3:
        if (random() % 3 == 0)
            unmarked_call(value());
        return;
    case 4: /* tables that refer to each other and to themselves */
        table[random() % 256] = TABLE(random() % TABLES) | 7;
        return;
    case 5:
        table[256] = ((u64 *)AT(ROOT))[256];
        hypercall(HYPERCALL_NEW_PGTABLE, (u64)table - GUEST_PAGE_OFFSET, 0, 0);
        return;
    default:
        hypercall(any_hypercall(), value(), value(), value());
    }
}

static void harm_on(void)
{
    for (u64 step = 0; step < STEPS; step++)
        harm();
    hypercall(HYPERCALL_SHUTDOWN, 0, 0, 0);
}

/* Mends nothing: a third of the frames is spoilt, the others go on with the harm. */
void trap(struct guest_frame *frame)
{
    if (single) {
        attack_trap(frame);
        return;
    }
    if (++traps > TRAP_LIMIT)
        hypercall(HYPERCALL_SHUTDOWN, 0, 0, 0);
    if (random() % 3 == 0) {
        ((u64 *)frame)[random() % (FRAME_SIZE / 8)] = value();
        return;
    }
    frame->rip = (u64)harm_on;
    frame->cs = GUEST_VIRTUAL_KERNEL_CS;
    frame->rflags = 0x202;
    frame->rsp = AT(0xa00000) - traps % 16 * 4096 - 8;
}

/* 32-bit code at 0x200000, as forbidden() expects it, and SYSCALL at the lower half's end. */
static void map_user_code(void)
{
    static const u8 code[] = {0x0f, 0x05, 0xcd, 0x80, 0x0f, 0x34, 0xeb, 0xf8};
    u64 *root = (u64 *)AT(ROOT);
    u64 *pointers = (u64 *)AT(0x30000), *directory = (u64 *)AT(0x31000);
    root[0] = 0x30007;
    pointers[0] = 0x31007;
    directory[1] = 0x800087;
    for (u64 i = 0; i < sizeof code; i++)
        ((u8 *)AT(0x800000))[i] = code[i];
    root[255] = 0x30007;
    pointers[511] = 0x32007;
    ((u64 *)AT(0x32000))[511] = 0x800087;
    ((u8 *)AT(0x9ffffe))[0] = 0x0f;
    ((u8 *)AT(0x9fffff))[0] = 0x05;
}

void hostile_main(const struct boot_info *info)
{
    const char *words = info->command_line;
    memory_size = info->memory_size;
    map_user_code();
    single = words[0] == 'a';
    if (single && words[7] == 'e' && words[8] == 'a') /* attack=early: before INIT */
        hypercall(HYPERCALL_TIMER_READ, 0, 0, 0);
    hypercall(HYPERCALL_INIT, PARAVIRT_ABI_VERSION, 0, 0);
    for (u64 vector = 0; vector < 256; vector++)
        hypercall(HYPERCALL_LOAD_IDT_ENTRY, vector, (u64)trap_entry, 0);
    hypercall(HYPERCALL_SET_STACK, AT(0xb00000), 0, 0);
    hypercall(HYPERCALL_SET_SYSCALL, (u64)trap_entry, 0, 0);
    if (single && !attack(words + 7))
        say("no such attack\n");
    if (single)
        hypercall(HYPERCALL_SHUTDOWN, 0, 0, 0);
    state = 88172645463325252;
    for (; *words; words++) {
        state = state * 1099511628211 + (u8)*words;
        bases |= words[0] == ' ' && words[1] == 'g' && words[2] == 's';
    }
    ((volatile struct shared_page *)GUEST_SHARED_PAGE)->irq_enabled = 0x200;
    hypercall(HYPERCALL_TIMER_START, 1, 0, 0);
    harm_on();
}
