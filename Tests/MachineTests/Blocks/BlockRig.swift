import X86

@testable import Machine

/// A small 64-bit world for one vCPU: page tables, GDT, TSS, IDT and handlers in the low pages,
/// four pages of code, four of data, and linear aliases of them with fewer rights. Every handler
/// sends the program on at an address that depends on how many faults came before, so that random
/// code never stops.
final class BlockRig {
    let machine: Machine
    let cpu: CPU

    static let memory = 128 << 10
    static let handlers = 0x7000
    static let code = 0x10000
    static let codeSize = 4 * 4096
    static let data = 0x18000
    static let dataSize = 4 * 4096
    /// Where the handlers count.
    static let counter = 0x5F00
    static let syscallEntry = 0x7C00

    /// Linear pages besides the identity mapping: (linear page, physical page, rights).
    static let aliases: [(linear: Int, physical: Int, bits: UInt64)] = [
        (0x20, 0x10, 7), (0x21, 0x11, 7), (0x22, 0x12, 5), (0x23, 0x13, 7),
        (0x30, 0x18, 5), (0x32, 0x19, 3), (0x33, 0x10, 7 | 1 << 63), (0x34, 0x18, 7),
        (0x35, 0xFED00, 7), (0x36, 0x04, 3),
    ]

    /// The mode that a program starts in.
    enum Mode: CaseIterable {
        case kernel64, user64, user32
        /// 32-bit code whose data do not begin at 0, or that may use neither FS nor GS: not flat,
        /// and less flat.
        case segmented32, limited32

        var is32: Bool { self != .kernel64 && self != .user64 }
        var cpl: UInt8 { self == .kernel64 ? 0 : 3 }
    }

    init(executor: Executor, faultsOnIST: Bool = true, mode: Mode = .kernel64) throws {
        var configuration = MachineConfiguration()
        configuration.memory = UInt64(BlockRig.memory)
        configuration.executor = executor
        machine = try Machine(configuration)
        cpu = machine.cpu(0)
        writeTables(faultsOnIST: faultsOnIST)
        writeHandlers()
        enterLongMode(mode)
    }

    // MARK: - Memory

    func write(_ bytes: [UInt8], at address: Int) {
        for (n, byte) in bytes.enumerated() {
            cpu.storePhysical(UInt64(address + n), UInt64(byte), size: 1)
        }
    }

    func write64(_ value: UInt64, at address: Int) {
        cpu.storePhysical(UInt64(address), value, size: 8)
    }

    private func writeTables(faultsOnIST: Bool) {
        write64(0x2007, at: 0x1000)
        write64(0x3007, at: 0x2000)
        write64(0x4007, at: 0x3000)
        for page in 0..<0x20 {
            let user: UInt64 = page >= 0x10 ? 4 : 0
            write64(UInt64(page << 12) | 3 | user, at: 0x4000 + page * 8)
        }
        for alias in BlockRig.aliases {
            write64(UInt64(alias.physical << 12) | alias.bits, at: 0x4000 + alias.linear * 8)
        }
        // GDT: null, -, code 0, data 0, code 32, data 3, code 3, -, TSS.
        let gdt: [UInt64] = [
            0, 0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_FB00_0000_FFFF,
            0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF, 0, 0x0000_8B00_5800_0067, 0,
        ]
        for (n, entry) in gdt.enumerated() { write64(entry, at: 0x5000 + n * 8) }
        write64(0x9000, at: 0x5804)
        write64(0xA000, at: 0x5824)
        for vector in 0..<256 {
            let target = UInt64(BlockRig.handlers + min(vector, 32) * 16)
            let ist: UInt64 = faultsOnIST || vector == 8 ? 1 : 0
            let dpl: UInt64 = vector == 3 || vector == 0x80 ? 3 : 0
            let low =
                target & 0xFFFF | 0x10 << 16 | ist << 32 | (0x8E | dpl << 5) << 40
                | (target >> 16) << 48
            write64(low, at: 0x6000 + vector * 16)
        }
    }

    private func writeHandlers() {
        let common = BlockRig.handlers + 33 * 16
        for vector in 0...32 {
            let hasCode = [8, 10, 11, 12, 13, 14, 17, 21].contains(vector)
            let at = BlockRig.handlers + vector * 16
            let push: [UInt8] = hasCode ? [0x90, 0x90] : [0x6A, 0x00]
            let distance = UInt32(common - (at + 7))
            write(push + [0xE9] + bytes(distance), at: at)
        }
        write(
            [0x50, 0x48, 0x8B, 0x04, 0x25] + bytes(UInt32(BlockRig.counter))
                + [0x48, 0x05] + bytes(0x1357) + [0x48, 0x89, 0x04, 0x25]
                + bytes(UInt32(BlockRig.counter)) + [0x25] + bytes(0x3FF0)
                + [0x05] + bytes(UInt32(BlockRig.code)) + [0x48, 0x89, 0x44, 0x24, 0x10]
                // Clear TF in the saved flags, or a random POPF would step for ever.
                + [0x80, 0x64, 0x24, 0x21, 0xFE]
                + [0x58, 0x48, 0x83, 0xC4, 0x08, 0x48, 0xCF], at: common)
        // SYSCALL: count in RDX, and back.
        write([0x48, 0x01, 0xCA, 0x48, 0xFF, 0xC2, 0x48, 0x0F, 0x07], at: BlockRig.syscallEntry)
    }

    private func bytes(_ v: UInt32) -> [UInt8] {
        [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: v >> $0) }
    }

    // MARK: - State

    private func enterLongMode(_ mode: Mode) {
        let cpl = mode.cpl
        cpu.pointee.cr0 = CR0.pe | CR0.pg | CR0.wp | CR0.et | CR0.ne | CR0.mp
        cpu.pointee.cr3 = 0x1000
        cpu.pointee.cr4 = CR4.pae | CR4.osfxsr | CR4.osxmmexcpt
        cpu.pointee.efer = EFER.lme | EFER.lma | EFER.sce | EFER.nxe
        cpu.pointee.longMode = 1
        if mode.is32 {
            cpu.pointee.codeSize = CodeSize.bits32.rawValue
            cpu.pointee.cs = flat(0x23, 0xC09B, cpl)
        } else {
            cpu.pointee.codeSize = CodeSize.bits64.rawValue
            cpu.pointee.cs = flat(cpl == 3 ? 0x33 : 0x10, 0xA09B, cpl)
        }
        let data: UInt16 = cpl == 3 ? 0x2B : 0x18
        for n in [SegmentNumber.es, SegmentNumber.ss, SegmentNumber.ds] {
            cpu.segments[Int(n)] = flat(data, 0xC093, cpl)
        }
        cpu.pointee.fs = flat(0, 0xC093, cpl)
        cpu.pointee.gs = flat(0, 0xC093, cpl)
        cpu.pointee.fs.base = UInt64(BlockRig.data)
        cpu.pointee.gs.base = UInt64(BlockRig.data + 0x800)
        cpu.pointee.kernelGSBase = UInt64(BlockRig.data + 0x1800)
        if mode == .segmented32 { cpu.pointee.ds.base = 0x10 }
        if mode == .limited32 {
            cpu.pointee.fs.limit = 0x2FFF
            cpu.pointee.gs.attributes = SegmentRegister.unusable
        }
        cpu.pointee.tr.base = 0x5800
        cpu.pointee.tr.limit = 0x67
        cpu.pointee.tr.selector = 0x40
        cpu.pointee.tr.attributes = 0x8B
        cpu.pointee.gdtr.base = 0x5000
        cpu.pointee.gdtr.limit = 0x4F
        cpu.pointee.idtr.base = 0x6000
        cpu.pointee.idtr.limit = 0xFFF
        cpu.pointee.star = 0x0023_0010_0000_0000
        cpu.pointee.lstar = UInt64(BlockRig.syscallEntry)
        cpu.pointee.sfmask = RFLAGS.interruptEnable | RFLAGS.df
        cpu.pointee.rflags = RFLAGS.fixedOne
        cpu.pointee.rip = UInt64(BlockRig.code)
        cpu.setCPL(cpl)
        cpu.flushTLB()
    }

    private func flat(_ selector: UInt16, _ attributes: UInt16, _ cpl: UInt8) -> SegmentRegister {
        var s = SegmentRegister()
        s.limit = 0xFFFF_FFFF
        s.selector = selector
        s.attributes = attributes | UInt16(cpl) << SegmentRegister.dplShift
        return s
    }

    /// Runs until a deadline, a halt or a stop.
    func run(instructions: UInt64, cycles: UInt64 = .max) {
        cpu.pointee.instructionDeadline = instructions
        cpu.pointee.cycleDeadline = cycles
        var turns = 0
        while cpu.pointee.instructions < instructions && cpu.pointee.cycles < cycles
            && cpu.pointee.activity == Activity.active
            && cpu.pointee.attention & Attention.stop == 0
        {
            if machine.configuration.executor == .stepwise {
                cpu.runStepwise()
            } else {
                cpu.runBlocks()
            }
            turns += 1
            precondition(turns < 1_000_000, "the executor does not go on")
        }
    }

    // MARK: - Comparison

    /// Everything that must not depend on the executor, as words with names.
    func words() -> [UInt64] {
        let c = cpu.pointee
        var w = (0..<17).map { cpu.registers[$0] }
        w += [c.rip, c.rflags, c.cycles, c.instructions]
        w += [
            UInt64(c.attention & ~Attention.leaveBlock), UInt64(c.cpl), UInt64(c.codeSize),
            UInt64(c.activity), UInt64(c.interruptShadow), UInt64(c.nmiBlocked),
            UInt64(c.pendingDR6), UInt64(c.longMode), c.tlbContext,
        ]
        for n in 0..<8 {
            let s = cpu.segments[n]
            w += [s.base, UInt64(s.limit) << 32 | UInt64(s.attributes) << 16 | UInt64(s.selector)]
        }
        w += [c.gdtr.base, UInt64(c.gdtr.limit), c.idtr.base, UInt64(c.idtr.limit)]
        w += [c.cr0, c.cr2, c.cr3, c.cr4, c.efer, c.dr6, c.dr7, c.kernelGSBase, c.lstar]
        return w
    }

    static let names: [String] =
        (0..<17).map { "r\($0)" }
        + ["rip", "rflags", "cycles", "instructions", "attention", "cpl", "codeSize", "activity"]
        + ["shadow", "nmiBlocked", "pendingDR6", "longMode", "tlbContext"]
        + (0..<8).flatMap { ["base of segment \($0)", "rest of segment \($0)"] }
        + ["gdtr", "gdtr limit", "idtr", "idtr limit", "cr0", "cr2", "cr3", "cr4", "efer", "dr6"]
        + ["dr7", "kernelGSBase", "lstar"]

    /// The first difference from another rig, or nil.
    func difference(from other: BlockRig) -> String? {
        let mine = words()
        let theirs = other.words()
        for n in 0..<mine.count where mine[n] != theirs[n] {
            let values = [mine[n], theirs[n]].map { String($0, radix: 16) }
            return "\(BlockRig.names[n]): \(values[0]) here, \(values[1]) there"
        }
        let memory = machine.shared.pointee.memory
        let otherMemory = other.machine.shared.pointee.memory
        if compare(memory, otherMemory, BlockRig.memory) != 0 {
            for n in 0..<BlockRig.memory
            where memory.load(fromByteOffset: n, as: UInt8.self)
                != otherMemory.load(fromByteOffset: n, as: UInt8.self)
            {
                return "memory at \(String(n, radix: 16))"
            }
        }
        if compare(cpu.pointee.vectors!, other.cpu.pointee.vectors!, MemoryLayout<VectorState>.size)
            != 0
        {
            return "vector state"
        }
        return tlbDifference(other, cpu.pointee.dataTLB, other.cpu.pointee.dataTLB, TLB.dataEntries)
            ?? tlbDifference(
                other, cpu.pointee.codeTLB, other.cpu.pointee.codeTLB, TLB.codeEntries)
    }

    /// Write tags are no part of it: pages with decoded code have none, and only one executor
    /// decodes.
    private func tlbDifference(
        _ other: BlockRig, _ mine: UnsafeMutablePointer<TLBEntry>,
        _ theirs: UnsafeMutablePointer<TLBEntry>, _ count: Int
    ) -> String? {
        let base = UInt64(UInt(bitPattern: machine.shared.pointee.memory))
        let otherBase = UInt64(UInt(bitPattern: other.machine.shared.pointee.memory))
        for n in 0..<count {
            let a = mine[n]
            let b = theirs[n]
            let bothEmpty = a.readTag == TLB.emptyTag && b.readTag == TLB.emptyTag
            if a.readTag != b.readTag || a.physical != b.physical
                || !bothEmpty && a.addend &- base != b.addend &- otherBase
            {
                return "TLB of \(count), entry \(n): \(a) here, \(b) there"
            }
        }
        return nil
    }
}

/// memcmp, over words.
private func compare(
    _ a: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer, _ count: Int
) -> Int {
    var difference: UInt64 = 0
    for n in 0..<count / 8 {
        difference |=
            a.load(fromByteOffset: n * 8, as: UInt64.self)
            ^ b.load(fromByteOffset: n * 8, as: UInt64.self)
    }
    return difference == 0 ? 0 : 1
}
