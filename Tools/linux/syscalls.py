#!/usr/bin/env python3
"""Writes the tables of Linux's system calls in Sources/Linux/Tables:

    syscalls.py FORMATS UNISTD >TABLE

Numbers and names are those of UNISTD, one of Linux's own headers (asm/unistd_64.h, asm/unistd_32.h
of Debian's linux-libc-dev). Arguments are what a running kernel says of them: FORMATS is the output
of `grep field: sys_enter_*/format` in its /sys/kernel/tracing/events/syscalls.

The tables are Linux 6.1's; what has come since, from 451 on, 335 and 336, is Linux 7.2's. A later kernel
may give an older call arguments that it did not have, so a table is not to be replaced as a whole.
"""

import re
import sys

# Calls that a kernel describes by another name than the header's.
DESCRIBED_AS = {
    "fstat": "newfstat",
    "lstat": "newlstat",
    "sendfile": "sendfile64",
    "stat": "newstat",
    "umount2": "umount",
    "uname": "newuname",
}
# Calls that no tracing describes: of the 32-bit interface only, or not there any more.
OTHERS = {
    "_llseek": "wxxpw",
    "_newselect": "dpppp",
    "fadvise64_64": "dllw",
    "fstat64": "wp",
    "fstatat64": "dppd",
    "get_thread_area": "p",
    "ipc": "wdxxpl",
    "lstat64": "pp",
    "mmap2": "puhhdu",
    "nice": "d",
    "set_thread_area": "p",
    "sigaction": "dpp",
    "signal": "dp",
    "sigpending": "p",
    "sigprocmask": "dpp",
    "sigreturn": "",
    "socketcall": "dp",
    "stat64": "pp",
    "stime": "p",
    "ugetrlimit": "wp",
    "waitpid": "dph",
}
# Calls of the 32-bit interface that are not what their names are elsewhere: one pointer to the rest.
BY_NUMBER = {("82", "select"): "p", ("90", "mmap"): "p"}
# Arguments that are declared as unsigned long and are something else.
KINDS = {("mmap", "fd"): "d", ("mmap", "prot"): "h", ("mmap", "flags"): "h"}
FLAGS = "flags flag prot cmd mask how events op request options clone_flags".split()
COUNTS = "len count nr_segs vlen size old_len new_len nr maxnode".split()
ADDRESSES = "addr start brk stack newsp".split()


def kind(call, declared, name):
    """p pointer, d int, l long, w unsigned int, u unsigned long, h 32 and x 64 bits of anything, o mode"""
    known = KINDS.get((call, name))
    if known:
        return known
    if declared.endswith("*") or "addr" in name or name in ADDRESSES or declared == "aio_context_t":
        return "p"
    if declared == "umode_t":
        return "o"
    is_long = declared in ("long", "unsigned long", "u64", "__u64", "size_t", "off_t", "loff_t")
    if name in FLAGS:
        return "x" if is_long else "h"
    if declared in ("unsigned long", "u64", "__u64"):
        return "u" if name in COUNTS else "x"
    if declared == "size_t":
        return "u"
    if is_long:
        return "l"
    if declared in ("unsigned int", "unsigned", "uid_t", "gid_t") and "fd" not in name:
        return "w"
    return "h" if declared == "u32" else "d"


def described(path):
    calls = {}
    pattern = re.compile(r"sys_enter_(\w+)/format:\s*field:(.*?)(\w+);\s*offset:")
    for line in open(path, errors="replace"):
        match = pattern.match(line)
        if match:
            call, declared, name = match.groups()
            arguments = calls.setdefault(call, [])
            # Texts that tracing has copied are no arguments (Linux 7.2).
            if "__data_loc" in declared:
                continue
            if not name.startswith("common_") and name != "__syscall_nr":
                arguments.append(kind(call, declared.strip(), name))
    return {call: "".join(arguments) for call, arguments in calls.items()}


def main():
    calls = described(sys.argv[1])
    print("# Linux's system calls: number, name, and the kinds of the arguments where they are known.")
    print("# A table; Tools/linux/syscalls.py wrote it and says what the letters mean.")
    for line in open(sys.argv[2]):
        match = re.match(r"#define __NR_(\w+)\s+(\d+)", line)
        if not match:
            continue
        name, number = match.groups()
        tried = [name, DESCRIBED_AS.get(name), name.removesuffix("_time64"), name.removesuffix("32")]
        tried.append(name.removesuffix("64"))
        kinds = next((calls[word] for word in tried if word in calls), OTHERS.get(name, "?"))
        if "32" in sys.argv[2]:
            kinds = BY_NUMBER.get((number, name), kinds)
        print(number, name, kinds or "-")


if __name__ == "__main__":
    main()
