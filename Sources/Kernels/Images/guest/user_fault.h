/* What a user fault handler is given. Shared with the user program. */
#ifndef GUEST_USER_FAULT_H
#define GUEST_USER_FAULT_H
#include "paravirt_abi.h"

/* On the user stack while the handler runs; RDI points to it. When the handler returns, execution
 * resumes with the registers it holds then (selectors and privileged flags excepted). */
struct fault_context {
    u64 address;                    /* of a page fault, otherwise 0 */
    struct guest_frame registers;   /* with the vector and the error code */
};
#endif
