/* The local APIC, in xAPIC mode, and the 8259 pair that it replaces. */
#ifndef APIC_H
#define APIC_H

/* Masks both 8259s and enables the APIC; nothing is delivered yet. */
void apic_start(void);
/* The tick: periodic, every TICK_COUNTS. */
void apic_start_timer(void);
void apic_end_of_interrupt(void);

#endif
