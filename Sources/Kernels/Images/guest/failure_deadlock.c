/* fail=deadlock: a function that holds a lock, with virtual interrupts off, calls another that
 * takes the same lock, and spins for ever. */
#include "command_line.h"
#include "failures.h"
#include "print.h"

struct spinlock {
    volatile u32 held;
};

static struct spinlock log_lock;
static u64 log_records;

[[gnu::noinline]] static u32 spin_lock(struct spinlock *lock) {
    u32 interrupts = interrupts_save();
    while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) != 0) {
        __builtin_ia32_pause();
    }
    return interrupts;
}

static void spin_unlock(struct spinlock *lock, u32 interrupts) {
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
    interrupts_restore(interrupts);
}

[[gnu::noinline]] static u64 log_count(void) {
    u32 interrupts = spin_lock(&log_lock);
    u64 count = log_records;
    spin_unlock(&log_lock, interrupts);
    return count;
}

[[gnu::noinline]] static void log_append(void) {
    u32 interrupts = spin_lock(&log_lock);
    log_records++;
    print("guest: log record %lu\n", log_count());   /* should read log_records: the lock is held */
    spin_unlock(&log_lock, interrupts);
}

void failure_deadlock(void) {
    if (command_line_is("fail", "deadlock")) {
        log_append();
    }
}
