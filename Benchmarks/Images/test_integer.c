/* n rounds of integer arithmetic in registers: add, multiply, shift, rotate, compare and branch. */
#include "bench.h"

u64 test_integer(u64 n) {
    u64 a = 0x9e3779b97f4a7c15, b = 1, c = 0;
    for (u64 i = 0; i < n; i++) {
        a ^= a << 13;
        a ^= a >> 7;
        a ^= a << 17;
        b = b * 6364136223846793005 + a;
        c += (b >> 33) ^ i;
        if ((b & 0x700) == 0x300) {
            c = c << 9 | c >> 55;
        } else {
            c -= a & 0xff;
        }
    }
    return a ^ b ^ c;
}
