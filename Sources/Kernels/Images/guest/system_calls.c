/* The guest's system calls. They run with virtual interrupts on, so a tick may come in the middle,
 * but never lose the processor unless they block. */
#include "system_calls.h"

#include "command_line.h"
#include "print.h"
#include "strings.h"
#include "system_call_numbers.h"

#define DEFAULT_WORK 100
#define WRITE_CHUNK 256

static u64 calls;

u64 system_calls_made(void) {
    return calls;
}

static s64 system_read(u64 file, u64 bytes, u64 capacity) {
    char line[128];
    if (file != 0) {
        return -1;
    }
    u64 count = console_read_line(line, capacity < sizeof(line) ? capacity : sizeof(line));
    return copy_to_user(bytes, line, count) ? (s64)count : -1;
}

static s64 system_write(u64 file, u64 bytes, u64 count) {
    char chunk[WRITE_CHUNK];
    u64 done = 0;
    if (file != 1) {
        return -1;
    }
    while (done < count) {
        u64 part = count - done < sizeof(chunk) ? count - done : sizeof(chunk);
        if (!copy_from_user(chunk, bytes + done, part)) {
            return done > 0 ? (s64)done : -1;
        }
        hypercall(HYPERCALL_PRINT, (u64)chunk, part, 0);
        done += part;
    }
    return (s64)count;
}

static s64 system_wait(u64 id, u64 status_at) {
    s64 status = 0;
    s64 child = process_wait((u32)id, &status);
    if (child > 0 && status_at != 0 && !copy_to_user(status_at, &status, sizeof(status))) {
        return -1;
    }
    return child;
}

/* Everything printed is a count that timing cannot change. */
static s64 system_shutdown(void) {
    const struct paging_counts *paging = paging_counts();
    if (current->parent != nullptr) {
        return -1;
    }
    print("guest: %lu processes, %lu system calls, %lu exceptions\n", process_count_created(),
          system_calls_made(), trap_exceptions());
    print("guest: pages: %lu from image, %lu zero-filled, %lu written after sharing\n",
          paging->from_image, paging->zero_filled, paging->written_after_sharing);
    print("guest: shutdown\n");
    interrupts_disable();
    hypercall(HYPERCALL_SHUTDOWN, 0, 0, 0);
    panic("shutdown returned");
}

static s64 system_set_name(u64 name) {
    char bytes[PROCESS_NAME_SIZE];
    if (!copy_from_user(bytes, name, sizeof(bytes))) {
        return -1;
    }
    bytes[sizeof(bytes) - 1] = 0;
    memcpy(current->name, bytes, sizeof(bytes));
    return 0;
}

static s64 system_process_info(u64 index, u64 info_at) {
    static const char *const states[] = {
        [PROCESS_FREE] = "free",       [PROCESS_RUNNABLE] = "run",  [PROCESS_SLEEPING] = "sleep",
        [PROCESS_WAITING] = "wait",    [PROCESS_READING] = "read",  [PROCESS_ZOMBIE] = "zombie",
    };
    if (index >= PROCESS_LIMIT) {
        return -1;
    }
    const struct process *process = process_at((u32)index);
    struct process_info info = {.id = 0};
    if (process->state != PROCESS_FREE) {
        info.id = process->id;
        info.parent = process->parent != nullptr ? process->parent->id : 0;
        memcpy(info.state, states[process->state], strlen(states[process->state]) + 1);
        memcpy(info.name, process->name, sizeof(info.name));
    }
    return copy_to_user(info_at, &info, sizeof(info)) ? 0 : -1;
}

static s64 system_option(u64 option) {
    switch (option) {
    case OPTION_WORK:
        return (s64)command_line_number("work", DEFAULT_WORK);
    case OPTION_SHELL:
        return command_line_has("shell") || command_line_is("init", "shell");
    case OPTION_INIT_DIES:
        return command_line_is("fail", "init-dies");
    case OPTION_PROBE:
        return command_line_is("probe", "read-kernel") ? PROBE_READ_KERNEL
               : command_line_is("probe", "hypercall") ? PROBE_HYPERCALL
                                                       : PROBE_NONE;
    default:
        return -1;
    }
}

static s64 dispatch(struct guest_frame *frame) {
    switch (frame->rax) {
    case SYSTEM_READ:
        return system_read(frame->rdi, frame->rsi, frame->rdx);
    case SYSTEM_WRITE:
        return system_write(frame->rdi, frame->rsi, frame->rdx);
    case SYSTEM_BRK:
        return (s64)user_space_set_break(&current->space, frame->rdi);
    case SYSTEM_YIELD:
        process_yield();
        return 0;
    case SYSTEM_NANOSLEEP:
        process_sleep(timer_ticks_of(frame->rdi));
        return 0;
    case SYSTEM_GETPID:
        return current->id;
    case SYSTEM_FORK:
        return process_fork(frame);
    case SYSTEM_EXIT:
        process_exit((s64)frame->rdi);
    case SYSTEM_WAIT:
        return system_wait(frame->rdi, frame->rsi);
    case SYSTEM_SHUTDOWN:
        return system_shutdown();
    case SYSTEM_SET_NAME:
        return system_set_name(frame->rdi);
    case SYSTEM_FAULT_HANDLER:
        current->fault_handler = frame->rdi;
        current->fault_return = frame->rsi;
        return 0;
    case SYSTEM_PROCESS_INFO:
        return system_process_info(frame->rdi, frame->rsi);
    case SYSTEM_OPTION:
        return system_option(frame->rdi);
    default:
        return -1;
    }
}

/* Called by system_call_entry with virtual interrupts off, and returns so. */
void system_call_dispatch(struct guest_frame *frame) {
    calls++;
    interrupts_enable();
    if (frame->rax == SYSTEM_FAULT_RETURN) {
        /* All registers are the context's: there is no result. */
        if (!user_fault_return(frame, frame->rdi)) {
            process_exit(-1);
        }
    } else {
        frame->rax = (u64)dispatch(frame);
    }
    interrupts_disable();
    if (schedule_wanted()) {
        schedule();
    }
}
