/* A shell: a prompt and a few commands, each run to its end before the next prompt. */
#include "program.h"

#define LINE_BYTES 128

static void print_prompt(void) {
    system_call(SYSTEM_WRITE, 1, (u64) "$ ", 2);
}

/* Splits the word at the front of `*rest` off and ends it with NUL. */
static char *take_word(char **rest) {
    char *word = *rest;
    while (*word == ' ') {
        word++;
    }
    char *end = word;
    while (*end != 0 && *end != ' ') {
        end++;
    }
    *rest = end;
    if (*end != 0) {
        *end = 0;
        *rest = end + 1;
    }
    return word;
}

static u64 parse_number(const char *digits, u64 otherwise) {
    if (*digits < '0' || *digits > '9') {
        return otherwise;
    }
    u64 value = 0;
    while (*digits >= '0' && *digits <= '9') {
        value = value * 10 + (u64)(*digits++ - '0');
    }
    return value;
}

static void list_processes(void) {
    struct process_info info;
    for (u64 index = 0; system_call(SYSTEM_PROCESS_INFO, index, (u64)&info, 0) == 0; index++) {
        if (info.id == 0) {
            continue;
        }
        struct output output;
        output.count = 0;
        output_number(&output, info.id);
        output_text(&output, " ");
        output_number(&output, info.parent);
        output_text(&output, " ");
        output_text(&output, info.state);
        output_text(&output, " ");
        output_text(&output, info.name);
        output_end_line(&output);
    }
}

static void fork_once(void) {
    s64 id = program_fork("forked");
    struct output output;
    output.count = 0;
    if (id == 0) {
        output_text(&output, "child ");
        output_number(&output, (u64)program_getpid());
        output_end_line(&output);
        program_exit(7);
    }
    s64 status = program_wait(id);
    output_text(&output, "child ");
    output_number(&output, (u64)id);
    output_text(&output, " exited with ");
    output_number(&output, (u64)status);
    output_end_line(&output);
}

static void help(void) {
    output_line("echo WORDS    print the words");
    output_line("ps            list processes: id, parent, state, name");
    output_line("work N        run the workload at size N");
    output_line("fault         run a process that faults");
    output_line("fork          run a child and wait for it");
    output_line("exit          shut down");
    output_line("help          this");
}

static void run_command(char *line) {
    char *rest = line;
    const char *command = take_word(&rest);
    if (text_equal(command, "")) {
        return;
    }
    if (text_equal(command, "echo")) {
        output_line(rest);
    } else if (text_equal(command, "ps")) {
        list_processes();
    } else if (text_equal(command, "work")) {
        run_workload(parse_number(take_word(&rest), 1));
    } else if (text_equal(command, "fault")) {
        fault_once();
    } else if (text_equal(command, "fork")) {
        fork_once();
    } else if (text_equal(command, "help")) {
        help();
    } else if (text_equal(command, "exit")) {
        system_call(SYSTEM_SHUTDOWN, 0, 0, 0);
    } else {
        struct output output;
        output.count = 0;
        output_text(&output, command);
        output_text(&output, ": not a command; try help");
        output_end_line(&output);
    }
}

[[noreturn]] void run_shell(void) {
    char line[LINE_BYTES];
    for (;;) {
        print_prompt();
        s64 count = system_call(SYSTEM_READ, 0, (u64)line, sizeof(line));
        if (count <= 0) {
            program_exit(3);
        }
        line[count - 1] = 0;   /* the newline */
        run_command(line);
    }
}
