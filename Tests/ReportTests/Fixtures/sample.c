/* A small program for the tests of symbols and line numbers: see build.sh. */
#include "sample.h"

volatile int total;
static int table[4] = {1, 2, 3, 4};

static int __attribute__((noinline)) add(int a, int b)
{
    total += a;
    return a * b + total;
}

int walk(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum = twice(add(sum, table[i & 3]));
    return sum;
}

void outer(int n)
{
    total = walk(n);
    if (total > 3)
        stop(total);
}
