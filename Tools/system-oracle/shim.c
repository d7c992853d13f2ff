// What bochscpu-python's library lacks on this system, to be preloaded: two functions of glibc
// 2.38, and ports, on which the library aborts. Nobody answers at any port.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

unsigned long long __isoc23_strtoull(const char *text, char **end, int base)
{
    return strtoull(text, end, base);
}

int __isoc23_sscanf(const char *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int count = vsscanf(text, format, arguments);
    va_end(arguments);
    return count;
}

// bx_devices_c::outp(unsigned short, unsigned, unsigned) and inp.
void _ZN12bx_devices_c4outpEtjj(void *self, unsigned short port, unsigned value, unsigned size)
{
}

unsigned _ZN12bx_devices_c3inpEtj(void *self, unsigned short port, unsigned size)
{
    return size == 4 ? 0xFFFFFFFF : (1u << 8 * size) - 1;
}

// bx_real_sim_c::get_param_bool: the library has no parameters, and does not notice. This one is
// false: all its virtual functions return 0.
static long zero(void)
{
    return 0;
}

static void *const functions[] = {zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero,
    zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero};
static struct {
    void *const *functions;
    long fields[64];
} parameter = {functions, {0}};

void *_ZN13bx_real_sim_c14get_param_boolEPKcP10bx_param_c(void *self, const char *name, void *base)
{
    return &parameter;
}

// BX_MEM_C::dbg_fetch_mem, by which the library describes the instruction at a shutdown.
int _ZN8BX_MEM_C13dbg_fetch_memEP8BX_CPU_CyjPh(
    void *self, void *cpu, unsigned long long address, unsigned size, unsigned char *bytes)
{
    return 0;
}
