/* The primes below 8 Mi, sieved n times over a byte each. */
#include "bench.h"

#define SIEVE_SIZE (8ul << 20)

static u8 composite[SIEVE_SIZE];

static u64 sieve(void) {
    u64 primes = 0;
    for (u64 i = 0; i < SIEVE_SIZE; i++) {
        composite[i] = 0;
    }
    for (u64 i = 2; i < SIEVE_SIZE; i++) {
        if (composite[i] != 0) {
            continue;
        }
        primes++;
        for (u64 multiple = i * i; multiple < SIEVE_SIZE; multiple += i) {
            composite[multiple] = 1;
        }
    }
    return primes;
}

u64 test_sieve(u64 n) {
    u64 total = 0;
    for (u64 i = 0; i < n; i++) {
        total += sieve();
    }
    return total;
}
