/* fail=null-trap: the page fault's entry in the trap table comes from a structure that nobody
 * filled, so the host is given a NULL handler. */
#include "command_line.h"
#include "failures.h"

struct memory_manager {
    void (*initialise)(void);
    void (*page_fault_entry)(void);
};

/* The initialiser names a field of a manager that this kernel does not have any more. */
static struct memory_manager *volatile active_manager;
static struct memory_manager flat_manager;

void failure_null_trap(void (**handlers)(void)) {
    if (command_line_is("fail", "null-trap")) {
        active_manager = &flat_manager;
        handlers[14] = active_manager->page_fault_entry;
    }
}
