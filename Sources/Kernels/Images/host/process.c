/* The host's ordinary processes: address spaces, demand paging, death. */
#include "process.h"
#include "cpu.h"
#include "memory.h"
#include "panic.h"
#include "strings.h"
#include "user/program.h"

extern const u8 user_load[], user_end_load[]; /* where the image carries the code, link.ld */
void worker_start(void);
void launcher_start(void);

#define EXIT_KILLED 128

static void *process_page(void)
{
    void *page = page_alloc();
    if (!page)
        panic("out of memory for a process");
    return page;
}

/* Code is shared, in place in the kernel's image; the stack and the arguments are private. */
static u64 *space_create(struct program_arguments **arguments)
{
    u64 *root = root_alloc();
    u64 code = to_physical(user_load);
    for (u64 at = 0; at < (u64)(user_end_load - user_load); at += PAGE_SIZE)
        map_user(root, USER_TEXT + at, code + at, 0);
    void *stack = process_page();
    map_user(root, USER_STACK_TOP - PAGE_SIZE, to_physical(stack), PTE_WRITABLE | PTE_NO_EXECUTE);
    *arguments = process_page();
    map_user(root, USER_ARGUMENTS, to_physical(*arguments), PTE_NO_EXECUTE);
    return root;
}

static struct task *process_create(const char *name, u64 *root, u64 entry)
{
    /* The stack as a call would leave it. */
    return task_create(name, root, entry, USER_STACK_TOP - 8);
}

struct task *worker_create(u64 n, u64 rounds)
{
    struct program_arguments *arguments;
    u64 *root = space_create(&arguments);
    arguments->number = n;
    arguments->rounds = rounds;
    char name[16];
    format(name, sizeof name, "worker %u", n);
    return process_create(name, root, (u64)worker_start);
}

struct task *launcher_create(u64 n)
{
    struct program_arguments *arguments;
    u64 *root = space_create(&arguments);
    u64 images = boot_facts.module_count;
    const struct module *module = &boot_facts.modules[n < images ? n : images - 1];
    u64 first = module->start & ~(u64)(PAGE_SIZE - 1);
    u64 last = module->start + module->size;
    for (u64 at = first; at < last; at += PAGE_SIZE)
        map_user(root, USER_GUEST_IMAGE + (at - first), at, PTE_NO_EXECUTE);
    for (u64 at = 0; at < guest_memory_size(); at += LARGE_PAGE_SIZE)
        map_user(root, USER_GUEST_MEMORY + at, guest_memory_start(n) + at,
                 PTE_WRITABLE | PTE_NO_EXECUTE | PTE_LARGE);
    arguments->number = n;
    arguments->image = USER_GUEST_IMAGE + (module->start - first);
    arguments->image_size = module->size;
    arguments->memory = USER_GUEST_MEMORY;
    arguments->memory_size = guest_memory_size();
    arguments->tick_cycles = TICK_COUNTS;
    memcpy(arguments->command_line, boot_facts.command_line, sizeof arguments->command_line);
    char name[16];
    format(name, sizeof name, "launcher %u", n);
    struct task *task = process_create(name, root, (u64)launcher_start);
    task->guest = n;
    return task;
}

int process_demand_page(u64 address, u64 error)
{
    struct task *task = current_task();
    /* Only a page that is not there: bit 0 of the error code says that it was. */
    if ((error & 1) || address < USER_HEAP || address >= USER_HEAP_END)
        return 0;
    void *page = page_alloc();
    if (!page)
        return 0;
    task->heap_pages++;
    map_user(task->root, address & ~(u64)(PAGE_SIZE - 1), to_physical(page),
             PTE_WRITABLE | PTE_NO_EXECUTE);
    return 1;
}

[[noreturn]] void process_kill(const char *text, ...)
{
    struct task *task = current_task();
    char reason[160];
    __builtin_va_list arguments;
    __builtin_va_start(arguments, text);
    format_list(reason, sizeof reason, text, arguments);
    __builtin_va_end(arguments);
    format(task->output, sizeof task->output, "killed: %s\n", reason);
    task->output_used = string_length(task->output);
    task_exit(EXIT_KILLED);
}
