import Testing
import X86

@testable import Machine

/// One vCPU set up directly in a mode, to execute single instructions by executor A's families.
///
/// In 64-bit mode it is at CPL 3 with two mapped areas, as the native oracle has them: a data
/// window of 8 KiB (user, writable, not executable) and a code area of 8 KiB (user, read-only);
/// likewise in 32-bit compatibility mode. In 32- and 16-bit modes proper it is at CPL 0 with flat
/// segments and paging off.
final class FamilyBench {
    static let windowBase: UInt64 = 0x1000_0000
    static let codeBase: UInt64 = 0x2000_0000
    static let areaBytes = 8192
    /// Where an instruction is placed in the code area.
    static let codeStart: UInt64 = codeBase + 4096 - 64
    /// GS base of the 64-bit mode.
    static let gsBase: UInt64 = windowBase + 0x40

    let machine: Machine
    let cpu: CPU
    private let windowPhysical: UInt64 = 0x10_0000
    private let codePhysical: UInt64 = 0x20_0000

    init(_ mode: CodeSize, compatibility: Bool = false, vendor: Vendor = .intel) throws {
        machine = try Machine(MachineConfiguration(memory: 4 << 20, vendor: vendor))
        cpu = machine.cpu(0)
        cpu.pointee.cycleDeadline = .max
        cpu.pointee.instructionDeadline = .max
        if mode == .bits64 || compatibility { enter64() } else { enterFlat(mode) }
        if compatibility {
            cpu.pointee.cs.attributes ^= SegmentRegister.long | SegmentRegister.big
            cpu.pointee.ss.attributes |= SegmentRegister.big
            cpu.pointee.codeSize = CodeSize.bits32.rawValue
        }
    }

    /// RAM at guest-physical `a`.
    func memory(_ a: UInt64) -> UnsafeMutableRawPointer {
        cpu.pointee.shared.pointee.memory + Int(a)
    }

    var window: UnsafeMutableRawPointer { memory(windowPhysical) }
    var code: UnsafeMutableRawPointer { memory(codePhysical) }

    private func setTable(_ table: UInt64, _ index: UInt64, _ entry: UInt64) {
        memory(table + index * 8).storeBytes(of: entry, as: UInt64.self)
    }

    private func enter64() {
        let user: UInt64 = 7
        setTable(0x1000, 0, 0x2000 | user)
        setTable(0x2000, 0, 0x3000 | user)
        setTable(0x3000, FamilyBench.windowBase >> 21, 0x4000 | user)
        setTable(0x3000, FamilyBench.codeBase >> 21, 0x5000 | user)
        for n in 0..<2 as Range<UInt64> {
            setTable(0x4000, n, windowPhysical + n * 4096 | user | 1 << 63)
            setTable(0x5000, n, codePhysical + n * 4096 | 5)
        }
        cpu.pointee.cr3 = 0x1000
        cpu.pointee.cr0 = CR0.pe | CR0.pg | CR0.wp | CR0.ne | CR0.et | CR0.mp | CR0.am
        cpu.pointee.cr4 = CR4.pae | CR4.osfxsr | CR4.osxmmexcpt
        cpu.pointee.efer = EFER.lme | EFER.lma | EFER.nxe | EFER.sce
        cpu.pointee.longMode = 1
        cpu.pointee.codeSize = CodeSize.bits64.rawValue
        let flat = SegmentRegister.present | SegmentRegister.codeOrData | 3 << 5
        for n in 0..<6 {
            cpu.segments[n] = SegmentRegister()
            cpu.segments[n].limit = .max
            cpu.segments[n].attributes = flat | 3
        }
        cpu.pointee.cs.attributes = flat | 0xB | SegmentRegister.long
        cpu.pointee.cs.selector = 0x33
        cpu.pointee.ss.selector = 0x2B
        cpu.pointee.gs.base = FamilyBench.gsBase
        cpu.setCPL(3)
        cpu.flushTLB()
        code.initializeMemory(as: UInt8.self, repeating: 0xCC, count: FamilyBench.areaBytes)
    }

    private func enterFlat(_ mode: CodeSize) {
        cpu.pointee.cr0 = CR0.pe | CR0.ne | CR0.et
        cpu.pointee.codeSize = mode.rawValue
        let big = mode == .bits32 ? SegmentRegister.big : 0
        for n in 0..<6 {
            cpu.segments[n] = SegmentRegister()
            cpu.segments[n].limit = mode == .bits32 ? .max : 0xFFFF
            cpu.segments[n].attributes =
                SegmentRegister.present | SegmentRegister.codeOrData | big | (n == 1 ? 0xB : 3)
        }
        cpu.setCPL(0)
        cpu.flushTLB()
    }

    /// Executes one instruction at RIP; RIP afterwards is the next one's, or the instruction's own
    /// where it threw. A suspended string instruction is taken up again until it is done.
    @discardableResult
    func run(_ i: Instruction) -> Fault? {
        while true {
            let fault = step(i)
            if fault != .suspended { return fault }
        }
    }

    /// The same, but a repeated string instruction is left where it is suspended.
    func step(_ i: Instruction) -> Fault? {
        let start = cpu.pointee.rip
        cpu.pointee.attention = 0
        cpu.updateStepping()
        cpu.pointee.rip = start &+ UInt64(i.length)
        do throws(Fault) {
            try cpu.execute(i)
            return nil
        } catch {
            cpu.pointee.rip = start
            return error
        }
    }

    /// Decodes bytes in the bench's mode; nil if they are not an instruction.
    func decode(_ bytes: [UInt8]) -> Instruction? {
        var i = Instruction()
        let size = CodeSize(rawValue: cpu.pointee.codeSize)!
        let failure = bytes.withUnsafeBufferPointer {
            Decoder.decode($0.baseAddress!, count: $0.count, codeSize: size, into: &i)
        }
        return failure == nil ? i : nil
    }

    /// Decodes and executes bytes.
    @discardableResult
    func run(_ bytes: [UInt8]) throws -> Fault? {
        run(try #require(decode(bytes)))
    }
}
