#pragma once
#include "../KernelSupport/basics.h"

void put(char c);
void print(const char *format, ...);
void set_gate(int vector, void *handler);
void application_main(void);
void test_controllers(void);
void test_clocks(void);
void test_serial(void);
void test_boards(void);
void test_firmware_configuration(void);
void test_event_timers(void);
void test_acpi(void);
void test_processors(void);
void test_disk(void);
void wait_ticks(u32 ticks);
void ioapic_write(u32 index, u32 value);
u32 ioapic_read(u32 index);
void reset_controllers(u8 primary_mask, u8 secondary_mask);
