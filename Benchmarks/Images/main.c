/* Chooses the test that the command line names, runs it, prints its result:
 *   TEST [n=REPETITIONS]
 * `boot` does nothing: what an emulator takes to come this far. */
#include "bench.h"

/* xen/include/public/arch-x86/hvm/start_info.h */
struct start_info {
    u32 magic, version, flags, module_count;
    u64 modules, command_line, rsdp;
};

static u64 test_boot(u64 n) {
    return n;
}

static const struct test {
    const char *name;
    u64 (*run)(u64 n);
    u64 n;
} tests[] = {
    {"boot", test_boot, 0},
    {"integer", test_integer, 40000000},
    {"sieve", test_sieve, 3},
    {"syscall", test_system_call, 1000000},
    {"pagefault", test_page_fault, 1000000},
    {"cr3", test_cr3, 1000000},
    {"timer", test_timer, 20000},
};

/* If `text` begins with `prefix`, what follows; otherwise NULL. */
static const char *after(const char *text, const char *prefix) {
    while (*prefix != 0) {
        if (*text++ != *prefix++) {
            return nullptr;
        }
    }
    return text;
}

/* The number of the word `n=...`, or `otherwise`. */
static u64 repetitions(const char *line, u64 otherwise) {
    for (const char *word = line; *word != 0; word++) {
        const char *digit = after(word, " n=");
        if (digit == nullptr) {
            continue;
        }
        u64 n = 0;
        while (*digit >= '0' && *digit <= '9') {
            n = n * 10 + (u64)(*digit++ - '0');
        }
        return n;
    }
    return otherwise;
}

static const struct test *find(const char *line) {
    for (u64 i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        const char *rest = after(line, tests[i].name);
        if (rest != nullptr && (*rest == 0 || *rest == ' ')) {
            return &tests[i];
        }
    }
    return nullptr;
}

[[noreturn]] void bench_main(const struct start_info *info) {
    const char *line = info->command_line != 0 ? (const char *)info->command_line : "";
    while (*line == ' ') {
        line++;
    }
    const struct test *test = find(line);
    if (test == nullptr) {
        print("bench: give boot, integer, sieve, syscall, pagefault, cr3 or timer\n");
        leave(2);
    }
    descriptors_init();
    user_mode_init();
    u64 n = repetitions(line, test->n);
    u64 result = test->run(n);
    print("bench: ");
    print(test->name);
    print(" n=");
    print_number(n);
    print(" result=");
    print_hex(result);
    print("\n");
    leave(0);
}
