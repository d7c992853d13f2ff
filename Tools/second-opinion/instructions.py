"""Instructions to compare: random ones from a seed, and those that compilers made."""

import glob
import os
import random
import struct

LEGACY = [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3]
# Prefixes that select rows are likelier than those that only decorate.
COMMON = [0x66, 0x66, 0xF2, 0xF3, 0xF3, 0x67, 0xF0]

# Rows are sparse in the three-byte maps; half of the samples there aim at them.
DENSE = {
    2: list(range(0x00, 0x42)) + [0x80, 0x81, 0x82, 0xF0, 0xF1],
    3: list(range(0x08, 0x10)) + [0x14, 0x15, 0x16, 0x17, 0x20, 0x21, 0x22]
    + [0x40, 0x41, 0x42, 0x60, 0x61, 0x62, 0x63],
}
# Opcodes with many rows each: x87, groups.
CROWDED = {
    0: list(range(0xD8, 0xE0)) + [0x80, 0x8C, 0x8E, 0x8F, 0xC0, 0xC6, 0xD1, 0xF6, 0xF7, 0xFE, 0xFF],
    1: [0x00, 0x01, 0x01, 0x01, 0x0D, 0x18, 0x1E, 0x20, 0x22, 0x71, 0x72, 0x73, 0xAE, 0xAE]
    + [0xBA, 0xC7, 0xC7],
}
ESCAPES = [b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a"]


def random_instructions(count, seed):
    """Pairs (mode, 16 bytes); all three modes, all maps, all prefixes."""
    source = random.Random(seed)
    for number in range(count):
        mode = (64, 32, 16, 64)[number & 3]
        data = bytearray()
        for _ in range(source.choice((0, 0, 0, 1, 1, 1, 2, 2, 3))):
            data.append(source.choice(COMMON if source.random() < 0.7 else LEGACY))
        # Now and then so many prefixes that 15 bytes are reached.
        if source.random() < 0.01:
            data += bytes(source.choices(LEGACY, k=source.randrange(6, 15)))
        if source.random() < 0.4:
            data.append(0x40 | source.randrange(16))
            if source.random() < 0.02:
                data.append(source.choice(LEGACY))
        map_number = source.choice((0, 0, 0, 1, 1, 1, 2, 3))
        data += ESCAPES[map_number]
        if source.random() < 0.5:
            opcode = source.choice((DENSE | CROWDED)[map_number])
        else:
            opcode = source.randrange(256)
        data.append(opcode)
        data += source.randbytes(16)
        yield mode, bytes(data[:16])


def text_section(path):
    """(mode, bytes of .text) of an ELF file, or None."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 64 or data[:4] != b"\x7fELF" or data[5] != 1:
        return None
    machine = struct.unpack_from("<H", data, 18)[0]
    if machine == 62 and data[4] == 2:
        mode, table, size, number, names = 64, *unpack(data, "<Q", 40), *unpack(data, "<HHH", 58)
        layout = "<IIQQQQ"
    elif machine == 3 and data[4] == 1:
        mode, table, size, number, names = 32, *unpack(data, "<I", 32), *unpack(data, "<HHH", 46)
        layout = "<IIIIII"
    else:
        return None
    sections = [struct.unpack_from(layout, data, table + size * n) for n in range(number)]
    if names >= len(sections):
        return None
    strings = sections[names][4]
    for name, kind, _, _, offset, length in sections:
        end = data.index(b"\0", strings + name)
        if data[strings + name : end] == b".text" and kind == 1:
            return mode, data[offset : offset + length]
    return None


def unpack(data, layout, offset):
    return struct.unpack_from(layout, data, offset)


def compiled_instructions(count, iced):
    """Pairs (mode, bytes) from the code of this system's libraries, each file an equal share.

    The other decoder finds where instructions begin; its lengths are compared as any others. Code
    for processors newer than ours (AVX) is skipped over by it.
    """
    patterns = ["/usr/lib/x86_64-linux-gnu/lib*.so.*", "/usr/lib64/lib*.so.*", "/lib/ld-linux*.so*"]
    paths = sorted({os.path.realpath(path) for pattern in patterns for path in glob.glob(pattern)})
    sections = []
    for path in paths:
        section = text_section(path)
        if section and len(section[1]) > 4096:
            sections.append(section)
    if not sections:
        raise SystemExit("no ELF libraries found to take compiled code from")
    share = -(-count // len(sections))
    made = 0
    while made < count:
        before = made
        for mode, code in sections:
            decoder = iced.Decoder(mode, code[: share * 12], ip=0)
            for instruction in decoder:
                if made == count:
                    return
                start = instruction.ip
                if start + 16 > len(code) or instruction.ip >= share * 12 - 16:
                    break
                yield mode, code[start : start + 16]
                made += 1
        if made == before:
            raise SystemExit("too little compiled code found")
        share *= 2
