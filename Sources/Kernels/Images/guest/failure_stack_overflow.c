/* fail=stack-overflow: a path is built by recursion from a directory up to the root, but the root
 * names itself as its parent where it should name none. The kernel stack ends in an unmapped page,
 * and there is no stack to report that fault on. */
#include "command_line.h"
#include "failures.h"
#include "print.h"
#include "strings.h"

struct directory {
    const struct directory *parent;
    const char *name;
};

static const struct directory root_directory = {.parent = &root_directory, .name = ""};
static const struct directory devices = {.parent = &root_directory, .name = "dev"};
static const struct directory console = {.parent = &devices, .name = "console"};

/* Writes the path of `directory`; the bytes written. */
[[gnu::noinline]] static u64 build_path(const struct directory *volatile directory, char *path) {
    u64 count = 0;
    if (directory->parent != nullptr) {
        count = build_path(directory->parent, path);
        path[count++] = '/';
    }
    u64 name_bytes = strlen(directory->name);
    memcpy(path + count, directory->name, name_bytes);
    return count + name_bytes;
}

void failure_stack_overflow(void) {
    if (command_line_is("fail", "stack-overflow")) {
        char path[64];
        path[build_path(&console, path)] = 0;
        print("guest: console is %s\n", path);
    }
}
