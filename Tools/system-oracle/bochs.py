"""Runs the harness in the Bochs core (bochscpu-python), on memory that the oracle shares."""

import mmap
import struct
import sys
import time

import bochscpu
import bochscpu.cpu
import bochscpu.memory
import ctypes

CONTROL = 0x400000
HARNESS = 0x200000


def segment(selector, attributes):
    s = bochscpu.Segment()
    s.present = True
    s.selector = selector
    s.base = 0
    s.limit = 0xFFFFFFFF
    s.attr = attributes
    return s


def state(entry):
    s = bochscpu.State()
    bochscpu.cpu.set_real_mode(s)
    s.cr0 = 0x11
    s.cr4 = 0
    s.efer = 0
    s.rip = entry
    s.rflags = 2
    s.dr6 = 0xFFFF0FF0
    s.dr7 = 0x400
    s.cs = segment(0x08, 0xC09B)
    s.tr = segment(0, 0x008B)
    s.ldtr = segment(0, 0x0082)
    for name in ("ds", "es", "fs", "gs", "ss"):
        setattr(s, name, segment(0x10, 0xC093))
    return s


def main():
    path = sys.argv[1]
    with open(path, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in range(0, len(memory), 4096):
        bochscpu.memory.page_insert(page, base + page)
    entry = struct.unpack_from("<I", memory, HARNESS + 28)[0]

    def word(offset):
        return struct.unpack_from("<I", memory, CONTROL + offset)[0]

    session = bochscpu.Session()
    spare = bochscpu.memory.allocate_host_page()

    def missing(gpa):
        bochscpu.memory.page_insert(gpa & ~0xFFF, spare)

    session.missing_page_handler = missing
    session.cpu.state = state(entry)
    hook = bochscpu.Hook()
    hook.clflush = lambda *args: session.stop()
    hook.reset = lambda *args: session.stop()
    hook.hlt = lambda *args: session.stop()
    parent = __import__("os").getppid()
    while __import__("os").getppid() == parent:
        if word(0) == word(4):
            time.sleep(0.0002)
            continue
        session.run([hook])
        if word(4) != word(0):
            session.cpu.state = state(entry)


main()
