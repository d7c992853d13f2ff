"""Compares the decoder with iced-x86: length, validity, name and memory operand.

Disagreements are grouped under keys such as `name:nop/prefetchw`. Every key must be listed in
Docs/decoder-disagreements.md, with who is right and why; one that is not makes the run fail.
"""

import argparse
import collections
import itertools
import pathlib
import re
import subprocess
import sys

import iced_x86 as iced

import instructions

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "Docs" / "decoder-disagreements.md"

# The other decoder is told what the simulated processor lacks: there TZCNT, LZCNT and WBNOINVD
# are BSF, BSR and WBINVD.
OPTIONS = (
    iced.DecoderOptions.NO_MPFX_0FBC
    | iced.DecoderOptions.NO_MPFX_0FBD
    | iced.DecoderOptions.NO_WBNOINVD
)
# An instruction that our processor lacks may still be one of the NOPs that were reserved for it
# (those of CET, MPX, CLDEMOTE): the other decoder is then asked again.
NOP_OPTIONS = OPTIONS | iced.DecoderOptions.FORCE_RESERVED_NOP

# What the table covers; an instruction of any other extension is undefined.
FEATURES = """
    INTEL8086 INTEL8086_ONLY INTEL186 INTEL286 INTEL386 INTEL486 X64 FPU FPU287 FPU387 CMOV CPUID
    CX8 CMPXCHG16B MSR TSC RDPMC SYSCALL SEP SMM PAUSE MULTIBYTENOP PREFETCHW FXSR MMX SSE SSE2
    SSE3 SSSE3 SSE4_1 SSE4_2 POPCNT MOVBE MONITOR CLFSH CLFLUSHOPT XSAVE XSAVEOPT XSAVEC XSAVES
    RDTSCP RDRAND RDSEED FSGSBASE INVPCID SMAP VMX SVM CET_IBT
""".split()
# Of VMX and SVM only the hypercalls are rows.
HYPERCALLS = {"VMCALL", "VMMCALL"}

# Other spellings of the same instruction.
SPELLINGS = {
    "reservednop": "nop",
    "pcmpestri64": "pcmpestri",
    "pcmpestrm64": "pcmpestrm",
}

# These read 16 bits of a register; iced-x86 names it by the operand size.
# So does MOV to and from segment registers.
WORD_SOURCES = set("arpl lar lsl lldt ltr lmsw verr verw".split())
IMPLICIT_XMM0 = {"blendvps", "blendvpd", "pblendvb"}


def word_registers(text):
    return re.sub(r"\b[er]([a-ds][xip])\b|\b(r\d+)[dw]?\b", r"\1\2", text)


def names(cls):
    return {
        value: name
        for name, value in vars(cls).items()
        if isinstance(value, int) and not name.startswith("_")
    }


class Opinion:
    """The other decoder's view of one instruction."""

    CODES = names(iced.Code)
    MNEMONICS = names(iced.Mnemonic)
    REGISTER_NAMES = {
        value: re.sub(r"^R(\d+)L$", r"R\1B", name).lower()
        for value, name in names(iced.Register).items()
    }
    ALLOWED = {getattr(iced.CpuidFeature, name) for name in FEATURES}
    REGISTERS = {
        getattr(iced.Register, f"{prefix}{name}"): number
        for prefix in "RE"
        for number, name in enumerate("AX CX DX BX SP BP SI DI".split())
    }
    ACCESS = {
        iced.OpAccess.READ: "read",
        iced.OpAccess.COND_READ: "read",
        iced.OpAccess.WRITE: "write",
        iced.OpAccess.COND_WRITE: "write",
        iced.OpAccess.READ_WRITE: "readWrite",
        iced.OpAccess.READ_COND_WRITE: "readWrite",
        iced.OpAccess.NO_MEM_ACCESS: "none",
        iced.OpAccess.NONE: "none",
    }
    # Operand kinds by the register they go through; the last number is the segment, -1 for any.
    IMPLICIT = {}

    def __init__(self):
        kinds, registers = iced.OpKind, iced.Register
        for number, name in enumerate("AX CX DX BX SP BP SI DI".split()):
            self.REGISTERS[getattr(registers, name)] = number
        for number in range(8, 16):
            self.REGISTERS[getattr(registers, f"R{number}")] = number
            self.REGISTERS[getattr(registers, f"R{number}D")] = number
        self.segments = {
            getattr(registers, name): number
            for number, name in enumerate("ES CS SS DS FS GS".split())
        }
        for prefix in ("", "E", "R"):
            self.IMPLICIT[getattr(kinds, f"MEMORY_SEG_{prefix}SI")] = 6
            self.IMPLICIT[getattr(kinds, f"MEMORY_SEG_{prefix}DI")] = 7
            self.IMPLICIT[getattr(kinds, f"MEMORY_ES{prefix}DI")] = -7
        self.ip = {registers.RIP, registers.EIP}
        self.info = iced.InstructionInfoFactory()
        self.cache = {}

    def of_code(self, instruction):
        """(in our processor?, name) by the instruction's code."""
        code = instruction.code
        known = self.cache.get(code)
        if known is None:
            name = self.CODES[code]
            features = instruction.cpuid_features()
            allowed = all(feature in self.ALLOWED for feature in features)
            if iced.CpuidFeature.VMX in features or iced.CpuidFeature.SVM in features:
                allowed = name in HYPERCALLS
            text = self.MNEMONICS[instruction.mnemonic].lower()
            known = self.cache[code] = (allowed, text, name)
        return known

    def operands(self, instruction):
        """The operands but memory in the form that `isa-tool decode` prints."""
        kinds = iced.OpKind
        result = []
        for number in range(instruction.op_count):
            kind = instruction.op_kind(number)
            if kind == kinds.REGISTER:
                result.append(self.REGISTER_NAMES[instruction.op_register(number)])
            elif kind in (kinds.NEAR_BRANCH16, kinds.NEAR_BRANCH32, kinds.NEAR_BRANCH64):
                mask = {
                    kinds.NEAR_BRANCH16: 0xFFFF,
                    kinds.NEAR_BRANCH32: 0xFFFFFFFF,
                    kinds.NEAR_BRANCH64: 0xFFFFFFFFFFFFFFFF,
                }[kind]
                distance = (instruction.near_branch_target - instruction.next_ip) & mask
                if distance > mask >> 1:
                    distance |= 0xFFFFFFFFFFFFFFFF & ~mask
                result.append(f"{distance:x}")
            elif kind in (kinds.FAR_BRANCH16, kinds.FAR_BRANCH32):
                offset = (
                    instruction.far_branch16
                    if kind == kinds.FAR_BRANCH16
                    else instruction.far_branch32
                )
                result.append(f"{instruction.far_branch_selector:x}:{offset:x}")
            elif kind == kinds.MEMORY or kind in self.IMPLICIT:
                result.append("m")
            else:
                mask = {kinds.IMMEDIATE8TO16: 0xFFFF, kinds.IMMEDIATE8TO32: 0xFFFFFFFF}
                value = instruction.immediate(number)
                result.append(f"{value & mask.get(kind, value):x}")
        return " ".join(result)

    def memory(self, instruction):
        """The first memory operand in the form that `isa-tool decode` prints, or "-"."""
        first = None
        implicit = None
        for number in range(instruction.op_count):
            kind = instruction.op_kind(number)
            if kind == iced.OpKind.MEMORY:
                first = number
                break
            if kind in self.IMPLICIT:
                if first is None:
                    first = number
                if implicit is None or self.IMPLICIT[kind] == 6:
                    implicit = self.IMPLICIT[kind]
        if first is None:
            return "-"
        access = self.ACCESS[self.info.info(instruction).op_access(first)]
        size = iced.MemorySizeExt.size(instruction.memory_size)
        if implicit is not None:
            segment = 0 if implicit == -7 else self.segments[instruction.memory_segment]
            return f"{size} {access} {segment} {abs(implicit)} - 1 0"
        segment = self.segments[instruction.memory_segment]
        displacement = instruction.memory_displacement
        base = instruction.memory_base
        if base in self.ip:
            displacement -= instruction.next_ip
            displacement &= 0xFFFFFFFF if base == iced.Register.EIP else 0xFFFFFFFFFFFFFFFF
            base = "ip"
        else:
            base = self.REGISTERS.get(base, "-")
        index = self.REGISTERS.get(instruction.memory_index, "-")
        # Without an index the scale bits mean nothing.
        scale = 1 if index == "-" else instruction.memory_index_scale
        return f"{size} {access} {segment} {base} {index} {scale} {displacement:x}"


def disagreement(opinion, mode, data, ours):
    """None, or (key, detail)."""
    decoder = iced.Decoder(mode, data, OPTIONS, ip=0x1000)
    instruction = decoder.decode()
    valid = bool(instruction)
    allowed, name, code = opinion.of_code(instruction) if valid else (False, "", "")
    if valid and not allowed:
        again = iced.Decoder(mode, data, NOP_OPTIONS, ip=0x1000).decode()
        if opinion.MNEMONICS[again.mnemonic] == "RESERVEDNOP":
            instruction = again
            allowed, name, code = opinion.of_code(again)
    fields = ours.split("\t")
    if len(fields) == 1:
        if not allowed:
            return None
        return f"only-iced:{code.lower()}", ours
    length, our_name, memory, operands, text = fields
    if not allowed:
        return f"only-ours:{our_name}/{code.lower()}", text
    if our_name != name and SPELLINGS.get(name) != our_name:
        return f"name:{our_name}/{name}", text
    if int(length) != instruction.len:
        return f"length:{our_name}", f"{text}: {length} against {instruction.len}"
    theirs = opinion.memory(instruction)
    if memory == theirs:
        other = opinion.operands(instruction)
        if our_name in WORD_SOURCES or (our_name == "mov" and re.search(r"\b[c-gs]s\b", other)):
            operands, other = word_registers(operands), word_registers(other)
        if our_name in IMPLICIT_XMM0:
            other += " xmm0"
        # iced-x86 gives reserved NOPs a second operand, the reg field's register.
        if operands == other or (our_name == "nop" and operands == other.split()[0]):
            return None
        return f"operands:{our_name}", f"{text}: {operands} against {other}"
    for part, a, b in zip(PARTS, memory.split(), theirs.split()):
        # Width 0 means that the instruction's own definition gives it.
        if a != b and not (part == "width" and a == "0"):
            if part == "segment" and mode == 64 and b in "0123":
                return "ignored-segment-prefix", f"{text}: {memory} against {theirs}"
            return f"{part}:{our_name}", f"{text}: {memory} against {theirs}"
    return None if memory != "-" and theirs != "-" else (f"memory:{our_name}", text)


# Instructions held in memory at a time.
BATCH = 200_000
PARTS = ["width", "access", "segment", "base", "index", "scale", "displacement"]


def listed_keys():
    """Keys in the first column of the table, `*` standing for anything."""
    keys = []
    for line in TABLE.read_text().splitlines():
        match = re.match(r"\| (`[^|]*`) \|", line)
        if match:
            keys += re.findall(r"`([^`]+)`", match.group(1))
    return {key: re.compile(re.escape(key).replace(r"\*", ".*")) for key in keys}


def answers(tool, batch):
    """The decoder's lines for a batch."""
    lines = "".join(f"{mode} {data.hex()}\n" for _, mode, data in batch)
    result = subprocess.run(
        [tool, "decode"], input=lines, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if len(result) != len(batch):
        sys.exit(f"isa-tool answered {len(result)} of {len(batch)} lines")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", required=True, help="path of isa-tool")
    parser.add_argument("--random", type=int, default=1_800_000)
    parser.add_argument("--compiled", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    opinion = Opinion()
    counts = collections.Counter()
    valid = collections.Counter()
    example = {}
    samples = itertools.chain(
        (("random", *pair) for pair in
         instructions.random_instructions(arguments.random, arguments.seed)),
        (("compiled", *pair) for pair in
         instructions.compiled_instructions(arguments.compiled, iced)),
    )
    while batch := list(itertools.islice(samples, BATCH)):
        for (kind, mode, data), ours in zip(batch, answers(arguments.tool, batch)):
            valid[kind, mode] += "\t" in ours
            counts[kind] += 1
            found = disagreement(opinion, mode, data, ours)
            if found:
                counts[found[0]] += 1
                example.setdefault(found[0], (mode, data.hex(), found[1]))

    listed = listed_keys()
    failures = 0
    seen = set()
    for key in sorted(example):
        matches = [k for k, pattern in listed.items() if pattern.fullmatch(key)]
        seen.update(matches)
        if not matches:
            failures += 1
            mode, data, text = example[key]
            print(f"not listed: {key} ({counts[key]} times), e.g. {mode} {data}: {text}")
    total = sum(counts[key] for key in example)
    for kind in ("random", "compiled"):
        modes = ", ".join(f"{valid[kind, m]} in {m}-bit mode" for m in (16, 32, 64) if valid[kind, m])
        print(f"{kind}: {counts[kind]} instructions, of them valid {modes}")
    print(f"{total} disagreements under {len(example)} keys, {failures} keys not listed")
    for key in sorted(set(listed) - seen):
        print(f"listed but not seen in this run: {key}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
