/* The words of the guest's command line: `word` or `name=value`, separated by spaces. */
#include "command_line.h"

#include "strings.h"

static char line[sizeof(((struct boot_info *)0)->command_line)];

void command_line_set(const char *text) {
    u64 count = 0;
    while (count < sizeof(line) - 1 && text[count] != 0) {
        line[count] = text[count];
        count++;
    }
    line[count] = 0;
}

const char *command_line(void) {
    return line;
}

/* The end of the word at `word`: a space or the end of the line. */
static const char *word_end(const char *word) {
    while (*word != 0 && *word != ' ') {
        word++;
    }
    return word;
}

/* If the word at `word` begins with `text`, what follows it; otherwise NULL. */
static const char *after(const char *word, const char *text) {
    while (*text != 0) {
        if (*word++ != *text++) {
            return nullptr;
        }
    }
    return word;
}

/* What follows `name=` in the first word that begins so, or NULL. */
static const char *value_of(const char *name) {
    for (const char *word = line; *word != 0;) {
        const char *value = after(word, name);
        if (value != nullptr && *value == '=') {
            return value + 1;
        }
        word = word_end(word);
        while (*word == ' ') {
            word++;
        }
    }
    return nullptr;
}

bool command_line_has(const char *text) {
    for (const char *word = line; *word != 0;) {
        if (after(word, text) == word_end(word)) {
            return true;
        }
        word = word_end(word);
        while (*word == ' ') {
            word++;
        }
    }
    return false;
}

bool command_line_is(const char *name, const char *value) {
    const char *found = value_of(name);
    return found != nullptr && after(found, value) == word_end(found);
}

u64 command_line_number(const char *name, u64 otherwise) {
    const char *digit = value_of(name);
    if (digit == nullptr || *digit < '0' || *digit > '9') {
        return otherwise;
    }
    u64 value = 0;
    while (*digit >= '0' && *digit <= '9') {
        value = value * 10 + (u64)(*digit++ - '0');
    }
    return value;
}
