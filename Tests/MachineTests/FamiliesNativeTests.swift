import Foundation
import SeededRandom
import Testing
import X86

@testable import Machine

/// Executor A against the real processor: random instructions at CPL 3 in 64-bit and 32-bit
/// (compatibility) mode. Flags that the manuals leave undefined are not compared, except where
/// `UndefinedFlags` claims a measured behaviour and the host is of the kind it was measured on.
///
/// NATIVE_SEED and NATIVE_CASES in the environment choose other and more cases, NATIVE_SUBJECTS
/// (`sse41,state`) some of the subjects.
@Suite struct FamiliesNativeTests {
    @Test(arguments: [
        (NativeGenerator.Subject.integer, 1 as UInt64, 150_000),
        (NativeGenerator.Subject.vector, 2 as UInt64, 60_000),
        (NativeGenerator.Subject.integer32, 3 as UInt64, 50_000),
        (NativeGenerator.Subject.x87, 4 as UInt64, 100_000),
        (NativeGenerator.Subject.transcendental, 5 as UInt64, 20_000),
        (NativeGenerator.Subject.vector32, 6 as UInt64, 30_000),
        (NativeGenerator.Subject.x8732, 7 as UInt64, 30_000),
        (NativeGenerator.Subject.sse41, 8 as UInt64, 40_000),
        (NativeGenerator.Subject.state, 9 as UInt64, 20_000),
        (NativeGenerator.Subject.state32, 10 as UInt64, 10_000),
        (NativeGenerator.Subject.segments, 11 as UInt64, 20_000),
        (NativeGenerator.Subject.segments32, 12 as UInt64, 20_000),
    ])
    func agreesWithTheProcessor(
        _ subject: NativeGenerator.Subject, _ seed: UInt64, _ count: Int
    ) throws {
        #if arch(x86_64) && os(Linux)
            let environment = ProcessInfo.processInfo.environment
            if let subjects = environment["NATIVE_SUBJECTS"]?.split(separator: ","),
                !subjects.contains(where: { $0 == "\(subject)" })
            {
                return
            }
            let chosen = environment["NATIVE_SEED"].flatMap { UInt64($0) }
            let comparison = try NativeComparison(seed: chosen ?? seed, subject)
            do {
                try comparison.run(count: environment["NATIVE_CASES"].flatMap { Int($0) } ?? count)
            } catch is NativeOracle.NoLocalTable {
                print("SKIPPED: this kernel has no modify_ldt for \(subject)")
                return
            }
            for line in comparison.report.prefix(20) { Issue.record("\(line)") }
            #expect(comparison.disagreements == 0)
            print(comparison.summary)
            #expect(comparison.mnemonics.count >= comparison.expectedMnemonics)
        #else
            print("SKIPPED: the native comparison needs an x86-64 Linux host")
        #endif
    }
}

#if arch(x86_64) && os(Linux)

    /// Runs cases on both sides and compares.
    final class NativeComparison {
        let bench: FamilyBench
        var generator: NativeGenerator
        let isMeasuredKind: Bool
        var disagreements = 0
        var compared = 0
        var faults = 0
        var mnemonics: [Mnemonic: Int] = [:]
        var notExecutable: Set<Mnemonic> = []
        var report: [String] = []
        private var perMnemonic: [Mnemonic: Int] = [:]
        private let pattern: UnsafeMutableRawPointer
        private let subject: NativeGenerator.Subject
        /// As a case finds them.
        private let segments: [SegmentRegister]

        init(seed: UInt64, _ subject: NativeGenerator.Subject) throws {
            let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
            let isAMD = text.contains("AuthenticAMD")
            let is32 = subject.mode == .bits32
            bench = try FamilyBench(
                is32 ? .bits32 : .bits64, compatibility: is32, vendor: isAMD ? .amd : .intel)
            generator = NativeGenerator(seed: seed, subject, bench)
            self.subject = subject
            if subject.isSegments { bench.useLinuxSegments() }
            if subject.isState {
                bench.cpu.pointee.cr4 |= CR4.osxsave
                bench.cpu.vectorState.pointee.enabledStates = 2
            }
            segments = (0..<6).map { [bench] in bench.cpu.segments[$0] }
            isMeasuredKind = text.contains("AuthenticAMD") && text.contains("cpu family\t: 26")
            pattern = .allocate(byteCount: FamilyBench.areaBytes, alignment: 16)
            var fill = SplitMix64(0x243F_6A88_85A3_08D3)
            for n in 0..<FamilyBench.areaBytes / 8 {
                let word = NativeComparison.patternWord(n, fill.next())
                pattern.storeBytes(of: word, toByteOffset: n * 8, as: UInt64.self)
            }
        }

        deinit { pattern.deallocate() }

        /// As the oracle fills the data window: every fourth word is a number that random bits
        /// seldom are.
        private static func patternWord(_ n: Int, _ z: UInt64) -> UInt64 {
            switch n % 4 == 3 ? z % 8 : 0 {
            case 1: return z & 0x800F_FFFF_FFFF_FFFF
            case 2: return z | 0x7FF0_0000_0000_0000
            case 3: return z & 0x8000_0000_0000_0000
            case 4: return z & 0x807F_FFFF_807F_FFFF
            case 5: return z | 0x7F80_0000_7F80_0000
            case 6: return UInt64(bitPattern: Int64(bitPattern: z) >> Int64(z >> 4 & 63))
            case 7: return z >> 16 | 0x3FFF << 48
            default: return z
            }
        }

        /// How many different mnemonics a run of the default size must have met.
        var expectedMnemonics: Int {
            switch subject {
            case .integer: return 80
            case .integer32: return 90
            case .vector: return 230
            case .vector32: return 200
            case .x87, .x8732: return 80
            case .transcendental: return 8
            case .sse41: return 13
            case .state, .state32: return 4
            case .segments: return 10
            case .segments32: return 12
            }
        }

        var summary: String {
            "native comparison: \(compared) instances of \(mnemonics.count) mnemonics, "
                + "\(faults) of them faulting, \(disagreements) disagreements; not executable: "
                + notExecutable.map { "\($0)" }.sorted().joined(separator: " ")
        }

        func run(count: Int) throws {
            for start in stride(from: 0, to: count, by: 10_000) {
                var cases: [NativeCase] = []
                var instructions: [Instruction] = []
                var ours: [NativeOutcome] = []
                while cases.count < min(10_000, count - start) {
                    let (made, i) = generator.next()
                    guard let outcome = execute(made, i) else { continue }
                    cases.append(made)
                    instructions.append(i)
                    ours.append(outcome)
                }
                let theirs = try NativeOracle.run(cases)
                for n in 0..<cases.count {
                    try compare(cases[n], instructions[n], ours[n], theirs[n])
                }
            }
        }

        /// Our side. Nil for what cannot be executed yet, or must not be run natively.
        private func execute(_ c: NativeCase, _ i: Instruction) -> NativeOutcome? {
            let cpu = bench.cpu
            bench.window.copyMemory(from: pattern, byteCount: FamilyBench.areaBytes)
            if let patch = c.patch {
                patch.bytes.withUnsafeBytes {
                    guard let start = $0.baseAddress else { return }
                    (bench.window + patch.offset).copyMemory(from: start, byteCount: $0.count)
                }
            }
            for n in 0..<6 { cpu.segments[n] = segments[n] }
            let at = bench.code + Int(FamilyBench.codeStart - FamilyBench.codeBase)
            at.initializeMemory(as: UInt8.self, repeating: 0xCC, count: 16)
            c.bytes.withUnsafeBytes { at.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            for n in 0..<16 { cpu.registers[n] = c.registers[n] }
            cpu.pointee.rflags = c.flags
            cpu.pointee.rip = FamilyBench.codeStart
            _ = try? cpu.translateFetch(FamilyBench.codeStart)
            cpu.adopt(c.vectors)

            let isStepped = c.flags & RFLAGS.tf != 0
            var fault = isStepped ? bench.step(i) : bench.run(i)
            if fault == .notExecutable {
                notExecutable.insert(i.mnemonic)
                return nil
            }
            var o = NativeOutcome()
            o.rip = cpu.pointee.rip
            // A POPA that faults on its way may have loaded some registers already.
            if fault != nil && i.mnemonic == .popa { return nil }
            // Between two iterations, too, comes the trap.
            if fault == .suspended { fault = nil }
            if isStepped && fault == nil {
                o.vector = Vector.debug
            } else if let fault {
                o.vector = fault.vector
                o.errorCode = fault.errorCode
                o.cr2 = fault.vector == Vector.pageFault ? fault.address : 0
            } else if o.rip &- FamilyBench.codeStart < UInt64(i.length) {
                // It would run its own bytes again.
                return nil
            }
            for n in 0..<16 { o.registers[n] = cpu.registers[n] }
            o.flags = cpu.pointee.rflags
            // Flags with which the host would trap or behave otherwise after the instruction.
            let sticky = RFLAGS.tf
            if (o.flags ^ c.flags) & sticky != 0 || isUndefined(c, i) { return nil }
            store(&o.vectors)
            if c.loadsSegments {
                o.selectors = [3, 0, 4, 5].map { cpu.segments[$0].selector }
            }
            if memcmp(bench.window, pattern, FamilyBench.areaBytes) != 0 {
                for n in stride(from: 0, to: FamilyBench.areaBytes, by: 8) {
                    let v = bench.window.load(fromByteOffset: n, as: UInt64.self)
                    if v != pattern.load(fromByteOffset: n, as: UInt64.self) {
                        o.changes += [UInt64(n), v]
                    }
                }
            }
            return o
        }

        /// The result is undefined: a 16-bit double shift by more than 16.
        private func isUndefined(_ c: NativeCase, _ i: Instruction) -> Bool {
            guard [.shld, .shrd].contains(i.mnemonic), i.operands.0.size == 2 else { return false }
            let count = i.operands.2.kind == .immediate ? i.immediate : c.registers[1]
            return count & 31 > 16
        }

        private func store(_ v: inout NativeVectors) {
            let state = bench.cpu.vectorState
            v.xmm.withUnsafeMutableBytes {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: state, count: 256))
            }
            let top = bench.cpu.x87Top
            for n in 0..<16 { v.x87[n] = bench.cpu.x87Words[(2 * top + n) & 15] }
            v.mxcsr = state.pointee.mxcsr
            v.control = state.pointee.controlWord
            v.status = state.pointee.statusWord
            for n in 0..<8 where state.pointee.tagWord >> UInt16(2 * n) & 3 != 3 {
                v.tags |= 1 << UInt16(n)
            }
            v.opcode = state.pointee.lastOpcode
            v.instructionPointer = state.pointee.instructionPointer
            v.dataPointer = state.pointee.dataPointer
        }

        // MARK: - Comparison

        private func compare(
            _ c: NativeCase, _ i: Instruction, _ ours: NativeOutcome, _ theirs: NativeOutcome
        ) throws {
            compared += 1
            mnemonics[i.mnemonic, default: 0] += 1
            if ours.vector != NativeOutcome.completed { faults += 1 }
            var what = differences(c, i, ours, theirs)
            if !what.isEmpty && disagreements < 100 {
                // A switch to another process on the way drops the x87 pointers: try again.
                what = differences(c, i, ours, try NativeOracle.run([c])[0])
            }
            if what.isEmpty { return }
            disagreements += 1
            perMnemonic[i.mnemonic, default: 0] += 1
            if perMnemonic[i.mnemonic]! <= 3 {
                let hex = c.bytes.map { String(format: "%02x", $0) }.joined(separator: " ")
                report.append("\(i.mnemonic) [\(hex)]: " + what.joined(separator: "; "))
            }
        }

        private func differences(
            _ c: NativeCase, _ i: Instruction, _ ours: NativeOutcome, _ theirs: NativeOutcome
        ) -> [String] {
            var what: [String] = []
            func check(_ name: String, _ a: UInt64, _ b: UInt64) {
                if a != b { what.append("\(name) is \(hex(a)), really \(hex(b))") }
            }
            // MXCSR.MM, which AMD's processors have and our CPUID does not promise.
            if i.mnemonic == .ldmxcsr && theirs.vectors.mxcsr & 1 << 17 != 0 { return [] }
            check("rip", ours.rip, theirs.rip)
            // Where both of CMPS's operands fault, the manuals do not say which does first: Intel's
            // processors read [rSI] first, AMD's [rDI].
            let bothFault =
                i.mnemonic == .cmps && ours.vector != NativeOutcome.completed
                && theirs.vector != NativeOutcome.completed
            // Which part of what has several is touched first is the processor's affair: it may
            // end beyond the segment and begin on a page that is not there.
            let images: Set<Mnemonic> = [.fnsave, .frstor, .fnstenv, .fldenv, .bound]
            let isImage = subject.isState || images.contains(i.mnemonic)
            let limits: [UInt8] = [Vector.stackFault, Vector.generalProtection]
            if isImage && theirs.vector == Vector.pageFault && limits.contains(ours.vector) {
                return []
            }
            if !bothFault { check("vector", UInt64(ours.vector), UInt64(theirs.vector)) }
            if !bothFault && ours.vector == Vector.pageFault && theirs.vector == Vector.pageFault {
                let place: UInt64 = isImage ? ~0xFFF : ~0
                check("cr2", ours.cr2 & place, theirs.cr2 & place)
                // Whether something of the kernel's is mapped there is the host's affair.
                let mask: UInt32 = ours.cr2 >> 47 != 0 ? 0x6 : 0x7
                check("error", UInt64(ours.errorCode & mask), UInt64(theirs.errorCode & mask))
            }
            for n in 0..<16 where ours.registers[n] != theirs.registers[n] {
                check("register \(n)", ours.registers[n], theirs.registers[n])
            }
            var flags = comparedFlags(c, i)
            // AMD's processors keep the flags of the iterations before a fault.
            if ours.vector != NativeOutcome.completed && [.cmps, .scas].contains(i.mnemonic) {
                flags = 0
            }
            if (ours.flags ^ theirs.flags) & flags != 0 {
                check("flags (from \(hex(c.flags)))", ours.flags & flags, theirs.flags & flags)
            }
            // The kernel's way back to the program makes null selectors 0 (SDM vol. 2, IRET).
            let selectors = ours.selectors.map { $0 < 4 ? 0 : $0 }
            if c.loadsSegments && selectors != theirs.selectors {
                what.append("selectors \(selectors), really \(theirs.selectors)")
            }
            if let found = memoryDifference(c, ours.changes, theirs.changes) { what.append(found) }
            if subject.isVector { what += vectorDifferences(i, ours.vectors, theirs.vectors) }
            if subject.isX87 {
                let found = x87Differences(i, ours.vectors, theirs.vectors)
                if !found.isEmpty { what += found + [describe(c.vectors)] }
            }
            if !what.isEmpty {
                what.append("registers " + c.registers.map(hex).joined(separator: " "))
            }
            return what
        }

        private func memoryDifference(
            _ c: NativeCase, _ ours: [UInt64], _ theirs: [UInt64]
        ) -> String? {
            if ours == theirs { return nil }
            var (a, b) = (words(ours), words(theirs))
            if subject.isState {
                // MXCSR_MASK says whether there is MXCSR.MM (AMD APM vol. 2, 11.5.10), which our
                // CPUID does not promise.
                let start = Int(c.registers[3] &- FamilyBench.windowBase)
                let mask = start + 24
                if let word = b[mask] { b[mask] = word & ~(1 << 49) }
                dropPointers(start, &a, &b)
            }
            let places = Set(a.keys).union(b.keys).sorted().filter { a[$0] != b[$0] }
            if places.isEmpty { return nil }
            return "memory "
                + places.map { at in
                    "\(at): " + (a[at].map(hex) ?? "as before") + ", really "
                        + (b[at].map(hex) ?? "as before")
                }.joined(separator: "; ")
        }

        /// As in `x87Differences`: pointers that the host has dropped are none to compare.
        private func dropPointers(_ start: Int, _ a: inout [Int: UInt64], _ b: inout [Int: UInt64])
        {
            guard start % 16 == 0, start + 24 <= FamilyBench.areaBytes else { return }
            let before = pattern.load(fromByteOffset: start + 8, as: UInt64.self)
            guard b[start + 8] ?? before == 0 else { return }
            for n in [8, 16] { (a[start + n], b[start + n]) = (nil, nil) }
            if let word = a[start] { a[start] = word & 0xFFFF_FFFF_FFFF }
            if let word = b[start] { b[start] = word & 0xFFFF_FFFF_FFFF }
        }

        /// By offset.
        private func words(_ changes: [UInt64]) -> [Int: UInt64] {
            var found: [Int: UInt64] = [:]
            for n in stride(from: 0, to: changes.count, by: 2) {
                found[Int(changes[n])] = changes[n + 1]
            }
            return found
        }

        /// Two singles each, whose differences are within what two approximations may err by.
        private func areNear(_ a: UInt64, _ b: UInt64) -> Bool {
            [0, 32].allSatisfy { (shift: UInt64) in
                let x = Float(bitPattern: UInt32(truncatingIfNeeded: a >> shift))
                let y = Float(bitPattern: UInt32(truncatingIfNeeded: b >> shift))
                if x.bitPattern == y.bitPattern { return true }
                // The least normal numbers may have become zeros on one side.
                let tiny = 2 * Float.leastNormalMagnitude
                if abs(x) <= tiny && abs(y) <= tiny { return x.sign == y.sign }
                return abs(x - y) <= abs(x) * 0x1.8p-11
            }
        }

        private func vectorDifferences(
            _ i: Instruction, _ a: NativeVectors, _ b: NativeVectors
        ) -> [String] {
            var what: [String] = []
            let isApproximate = [.rcpps, .rcpss, .rsqrtps, .rsqrtss].contains(i.mnemonic)
            for n in 0..<32 where a.xmm[n] != b.xmm[n] {
                if isApproximate && areNear(a.xmm[n], b.xmm[n]) { continue }
                what.append("xmm\(n / 2)[\(n & 1)] is \(hex(a.xmm[n])), really \(hex(b.xmm[n]))")
            }
            for n in 0..<8 {
                let same =
                    a.x87[2 * n] == b.x87[2 * n]
                    && (a.x87[2 * n + 1] ^ b.x87[2 * n + 1]) & 0xFFFF == 0
                if !same {
                    what.append("mm\(n) is \(hex(a.x87[2 * n])), really \(hex(b.x87[2 * n]))")
                }
            }
            if a.mxcsr != b.mxcsr { what.append("mxcsr is \(a.mxcsr), really \(b.mxcsr)") }
            if a.tags != b.tags { what.append("tags are \(a.tags), really \(b.tags)") }
            return what
        }

        /// The transcendental instructions, whose results may differ in the last place.
        private static let approximate: Set<Mnemonic> = [
            .f2xm1, .fyl2x, .fyl2xp1, .fptan, .fpatan, .fsin, .fcos, .fsincos,
        ]

        private func x87Differences(
            _ i: Instruction, _ a: NativeVectors, _ b: NativeVectors
        ) -> [String] {
            var what: [String] = []
            func check(_ name: String, _ a: UInt64, _ b: UInt64) {
                if a != b { what.append("\(name) is \(hex(a)), really \(hex(b))") }
            }
            let isApproximate = NativeComparison.approximate.contains(i.mnemonic)
            let codes: UInt16 = isApproximate ? 0x200 : 0
            check("status", UInt64(a.status | codes), UInt64(b.status | codes))
            check("control", UInt64(a.control), UInt64(b.control))
            check("tags", UInt64(a.tags), UInt64(b.tags))
            // AMD's processors keep the pointers only with an unmasked exception, and kernels may
            // drop them.
            if b.instructionPointer != 0 {
                check("opcode", UInt64(a.opcode), UInt64(b.opcode))
                check("pointer", kept(a.instructionPointer), kept(b.instructionPointer))
                if hasMemory(i) { check("data pointer", kept(a.dataPointer), kept(b.dataPointer)) }
            }
            for n in 0..<8 {
                let exponents = (a.x87[2 * n + 1] & 0xFFFF, b.x87[2 * n + 1] & 0xFFFF)
                let significands = (a.x87[2 * n], b.x87[2 * n])
                if exponents.0 == exponents.1 && significands.0 == significands.1 { continue }
                if isApproximate && n < 2 {
                    // One unit in the last place, across a power of two as well.
                    let distance = Int64(
                        bitPattern: (significands.0 << 1) &- (significands.1 << 1))
                    let step = exponents.0 == exponents.1 ? 0 : 1
                    if (exponents.0 ^ exponents.1) <= 0xFFF && distance.magnitude <= 2,
                        abs(Int64(exponents.0) - Int64(exponents.1)) == step
                    {
                        continue
                    }
                }
                what.append(
                    "st\(n) is \(hex(exponents.0)):\(hex(significands.0)), really "
                        + "\(hex(exponents.1)):\(hex(significands.1))")
            }
            return what
        }

        private func hasMemory(_ i: Instruction) -> Bool { i.operands.0.kind == .memory }

        /// A pointer that an image gave: processors keep as many bits as a linear address has, 57
        /// or 48, and extend their sign; here all 64 stay.
        private func kept(_ pointer: UInt64) -> UInt64 {
            subject.isState ? pointer & 0xFFFF_FFFF_FFFF : pointer
        }

        private func describe(_ v: NativeVectors) -> String {
            let registers = (0..<8).map { hex(v.x87[2 * $0 + 1]) + ":" + hex(v.x87[2 * $0]) }
            return "from control \(hex(UInt64(v.control))) status \(hex(UInt64(v.status))) tags "
                + "\(hex(UInt64(v.tags))) stack " + registers.joined(separator: " ")
        }

        private func hex(_ v: UInt64) -> String { String(v, radix: 16) }

        /// The flags that the manuals define after this instruction, or that were measured on
        /// processors of the host's kind.
        private func comparedFlags(_ c: NativeCase, _ i: Instruction) -> UInt64 {
            let all =
                RFLAGS.arithmetic | RFLAGS.df | RFLAGS.ac | RFLAGS.id | RFLAGS.nt
            let size = i.operands.0.size
            let count = { (o: Operand) -> UInt64 in
                let v = o.kind == .immediate ? i.immediate : o.kind == .one ? 1 : c.registers[1]
                return v & (size == 8 ? 63 : 31)
            }
            switch i.mnemonic {
            case .daa, .das: return all & ~RFLAGS.of
            case .aaa, .aas:
                return all & ~(RFLAGS.of | RFLAGS.sf | RFLAGS.zf | RFLAGS.pf)
            case .aam, .aad: return all & ~(RFLAGS.of | RFLAGS.af | RFLAGS.cf)
            case .and, .or, .xor, .test:
                return isMeasuredKind ? all : all & ~RFLAGS.af
            case .mul, .imul:
                return all & ~(RFLAGS.sf | RFLAGS.zf | RFLAGS.af | RFLAGS.pf)
            case .div, .idiv: return all & ~RFLAGS.arithmetic
            case .bsf, .bsr:
                return isMeasuredKind ? all : all & ~RFLAGS.arithmetic | RFLAGS.zf
            case .bt, .bts, .btr, .btc:
                return isMeasuredKind
                    ? all : all & ~(RFLAGS.of | RFLAGS.sf | RFLAGS.af | RFLAGS.pf)
            case .shl, .shr, .sar, .rol, .ror, .rcl, .rcr:
                let n = count(i.operands.1)
                let isRotate = [.rol, .ror, .rcl, .rcr].contains(i.mnemonic)
                if n == 0 { return all }
                var mask = isRotate ? all : all & ~RFLAGS.af
                if isMeasuredKind { return mask }
                if n != 1 { mask &= ~RFLAGS.of }
                if n >= UInt64(size) * 8 && !isRotate { mask &= ~RFLAGS.cf }
                return mask
            case .shld, .shrd:
                let n = count(i.operands.2)
                if n == 0 { return all }
                if n > UInt64(size) * 8 { return all & ~RFLAGS.arithmetic }
                let defined = all & ~RFLAGS.af
                return n == 1 ? defined : defined & ~RFLAGS.of
            default: return all
            }
        }
    }

#endif
