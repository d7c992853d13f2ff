/* The words of the guest's command line. */
#ifndef GUEST_COMMAND_LINE_H
#define GUEST_COMMAND_LINE_H
#include "hypercall.h"

void command_line_set(const char *text);
const char *command_line(void);
/* Whether `word` stands alone on the command line. */
bool command_line_has(const char *word);
/* Whether `name=value` stands there. */
bool command_line_is(const char *name, const char *value);
/* The decimal number of `name=`, or `otherwise`. */
u64 command_line_number(const char *name, u64 otherwise);
#endif
