/* n round trips from CPL 3 to CPL 0 and back by SYSCALL and SYSRET. */
#include "bench.h"

u64 test_system_call(u64 n) {
    return run_user(user_system_calls, n, 0);
}
