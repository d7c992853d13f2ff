#include "vcpu.h"
#include "panic.h"
struct lguest guests[MAX_GUESTS];
s64 sys_lguest_init(u64 entry, u64 root, u64 boot_info) { (void)entry; (void)root; (void)boot_info; return -38; }
s64 sys_lguest_run(void) { return -38; }
void guests_tick(u64 c) { (void)c; }
void guest_kill(struct vcpu *v, const char *t, ...) { (void)v; panic("%s", t); }
void lguest_handle_system_call(struct guest_frame *f) { (void)f; panic("x"); }
void lguest_handle_exception(struct guest_frame *f) { (void)f; panic("x"); }
void lguest_return_work(struct guest_frame *f) { (void)f; panic("x"); }
