/* fail=wild-jump: early in boot, before there are trap handlers, a table of functions lacks the
 * NULL that should end it, and the loop calls the datum that lies behind the table. */
#include "command_line.h"
#include "failures.h"

static volatile u64 clock_calibration, random_pool;

static void clock_setup(void) {
    clock_calibration = 100000;
}

static void random_setup(void) {
    random_pool = 0x9e3779b97f4a7c15;
}

struct early_setup {
    void (*functions[2])(void);   /* should be three, the last one NULL */
    char version[8];
};

static const struct early_setup early_setup = {
    .functions = {clock_setup, random_setup},
    .version = "v0.1.7",
};

[[gnu::noinline]] static void run_early_setup(void (*const volatile *function)(void)) {
    while (*function != nullptr) {
        (*function++)();
    }
}

void failure_wild_jump(void) {
    if (command_line_is("fail", "wild-jump")) {
        run_early_setup(early_setup.functions);
    }
}
