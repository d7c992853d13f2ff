import SeededRandom
import Testing
import X86

@testable import Machine

/// Repeated string instructions as resumable steps: what they charge, where they stop, and that
/// neither the stops nor the fast path can be seen in the result.
@Suite struct FamiliesStringTests {
    private static let repMovsb: [UInt8] = [0xF3, 0xA4]

    private func costs(_ cpu: CPU) -> UInt64 {
        UInt64(cpu.pointee.shared.pointee.costs[Int(CostClass.stringStep.rawValue)])
    }

    /// Executes once, without taking up a suspended instruction again.
    private func executeOnce(_ bench: FamilyBench, _ bytes: [UInt8]) throws -> Fault? {
        let i = try #require(bench.decode(bytes))
        let start = bench.cpu.pointee.rip
        bench.cpu.pointee.rip = start &+ UInt64(i.length)
        do throws(Fault) {
            try bench.cpu.execute(i)
            return nil
        } catch {
            bench.cpu.pointee.rip = start
            return error
        }
    }

    private func prepared() throws -> FamilyBench {
        let bench = try FamilyBench(.bits64)
        for n in 0..<FamilyBench.areaBytes {
            bench.window.storeBytes(of: UInt8(n & 0xFF), toByteOffset: n, as: UInt8.self)
        }
        bench.cpu.pointee.rip = FamilyBench.codeStart
        _ = try bench.cpu.translateFetch(FamilyBench.codeStart)
        bench.cpu.pointee.rsi = FamilyBench.windowBase
        bench.cpu.pointee.rdi = FamilyBench.windowBase + 0x1000
        return bench
    }

    /// The same work in one go and in every cutting by deadlines ends the same.
    @Test func deadlinesCutBetweenIterations() throws {
        let whole = try prepared()
        whole.cpu.pointee.rcx = 100
        #expect(try executeOnce(whole, Self.repMovsb) == nil)
        let step = costs(whole.cpu)
        #expect(step > 0)
        #expect(whole.cpu.pointee.cycles == 100 * step)

        for slice in [1, 2, 7, 99] as [UInt64] {
            let cut = try prepared()
            cut.cpu.pointee.rcx = 100
            var suspensions: UInt64 = 0
            while true {
                cut.cpu.pointee.cycleDeadline = cut.cpu.pointee.cycles + slice * step
                let fault = try executeOnce(cut, Self.repMovsb)
                if fault == nil { break }
                #expect(fault == .suspended)
                suspensions += 1
                #expect(cut.cpu.pointee.rcx == 100 - suspensions * slice)
                #expect(cut.cpu.pointee.rip == FamilyBench.codeStart)
                #expect(cut.cpu.pointee.cycles == suspensions * slice * step)
                if suspensions > 100 { break }
            }
            #expect(suspensions == 99 / slice)
            #expect(cut.cpu.pointee.cycles == whole.cpu.pointee.cycles)
            #expect(cut.cpu.pointee.rdi == whole.cpu.pointee.rdi)
            #expect(cut.cpu.pointee.rsi == whole.cpu.pointee.rsi)
            #expect(cut.cpu.pointee.rcx == 0)
        }
    }

    @Test func attentionStopsAfterOneIteration() throws {
        let bench = try prepared()
        bench.cpu.pointee.rcx = 10
        bench.cpu.pointee.attention = Attention.interrupt
        bench.cpu.pointee.rflags |= RFLAGS.interruptEnable
        #expect(try executeOnce(bench, Self.repMovsb) == .suspended)
        #expect(bench.cpu.pointee.rcx == 9)
        // With interrupts off it is nothing to stop for.
        bench.cpu.pointee.rflags &= ~RFLAGS.interruptEnable
        #expect(try executeOnce(bench, Self.repMovsb) == nil)
        bench.cpu.pointee.rflags |= RFLAGS.interruptEnable
        // The last iteration completes the instruction whatever waits.
        bench.cpu.pointee.rcx = 1
        #expect(try executeOnce(bench, Self.repMovsb) == nil)
    }

    /// Nothing left to do costs no iteration, with an address-size prefix too.
    @Test func zeroCountDoesNothing() throws {
        let bench = try prepared()
        bench.cpu.pointee.rcx = 0
        #expect(try executeOnce(bench, Self.repMovsb) == nil)
        #expect(bench.cpu.pointee.cycles == 0)
        bench.cpu.pointee.rcx = 1 << 32
        #expect(try executeOnce(bench, [0x67, 0xF3, 0xA4]) == nil)
        #expect(bench.cpu.pointee.rdi == FamilyBench.windowBase + 0x1000)
    }

    /// Runs by the fast path and element by element leave the same memory, registers and cycles,
    /// overlapping copies included.
    @Test func fastPathIsOneByOne() throws {
        var random = SplitMix64(5)
        for _ in 0..<400 {
            let fast = try prepared()
            let slow = try prepared()
            let size = 1 << random.below(4)
            let store = random.chance(40)
            var bytes: [UInt8] = size == 2 ? [0x66] : []
            bytes.append(0xF3)
            if size == 8 { bytes.append(0x48) }
            bytes.append((store ? 0xAA : 0xA4) | (size == 1 ? 0 : 1))
            let from = FamilyBench.windowBase + UInt64(random.below(6000))
            let distance = Int64(random.below(64)) - 32
            let to =
                random.chance(50)
                ? from &+ UInt64(bitPattern: distance)
                : FamilyBench.windowBase + UInt64(random.below(8192))
            let count = UInt64(random.below(700))
            for bench in [fast, slow] {
                bench.cpu.pointee.rsi = from
                bench.cpu.pointee.rdi = to
                bench.cpu.pointee.rcx = count
                bench.cpu.pointee.rax = 0x1122_3344_5566_7788
            }
            let fault = try executeOnce(fast, bytes)
            var slowFault: Fault?
            repeat {
                // A deadline of one cycle lets one iteration through.
                slow.cpu.pointee.cycleDeadline = slow.cpu.pointee.cycles + 1
                slowFault = try executeOnce(slow, bytes)
            } while slowFault == .suspended
            #expect(fault == slowFault)
            for n in 0..<16 { #expect(fast.cpu.registers[n] == slow.cpu.registers[n]) }
            #expect(fast.cpu.pointee.cycles == slow.cpu.pointee.cycles)
            let same = (0..<FamilyBench.areaBytes / 8).allSatisfy {
                fast.window.load(fromByteOffset: $0 * 8, as: UInt64.self)
                    == slow.window.load(fromByteOffset: $0 * 8, as: UInt64.self)
            }
            #expect(same)
            if !same { return }
        }
    }

    /// A fault in the middle keeps what is done, and CMPS's flags as they were.
    @Test func faultsKeepCompletedIterations() throws {
        let bench = try prepared()
        let end = FamilyBench.windowBase + UInt64(FamilyBench.areaBytes)
        bench.cpu.pointee.rsi = FamilyBench.windowBase
        bench.cpu.pointee.rdi = end - 3
        bench.cpu.pointee.rcx = 10
        let fault = try executeOnce(bench, Self.repMovsb)
        #expect(fault == .pageFault(end, PageFaultCode.write | PageFaultCode.user))
        #expect(bench.cpu.pointee.rcx == 7)
        #expect(bench.cpu.pointee.rdi == end)
        #expect(bench.cpu.pointee.cycles == 3 * costs(bench.cpu))

        bench.cpu.pointee.rsi = end - 4
        bench.cpu.pointee.rdi = end - 4
        bench.cpu.pointee.rcx = 10
        bench.cpu.pointee.rflags = 2 | RFLAGS.cf
        let second = try executeOnce(bench, [0xF3, 0xA6])  // repe cmpsb
        #expect(second == .pageFault(end, PageFaultCode.user))
        #expect(bench.cpu.pointee.rcx == 6)
        #expect(bench.cpu.pointee.rflags == 2 | RFLAGS.cf)
    }

    /// An instruction that overwrites itself is fetched again after the iteration that did it.
    @Test func writingItsOwnPageSuspends() throws {
        let bench = try FamilyBench(.bits32)
        let cpu = bench.cpu
        cpu.pointee.rip = 0x5000
        _ = try cpu.translateFetch(0x5000)
        cpu.pointee.rdi = 0x5800
        cpu.pointee.rcx = 5
        #expect(try executeOnce(bench, [0xF3, 0xAA]) == .suspended)
        #expect(cpu.pointee.rcx == 4)
        cpu.pointee.rdi = 0x6000
        #expect(try executeOnce(bench, [0xF3, 0xAA]) == nil)
        #expect(cpu.pointee.rcx == 0)
    }

    @Test func comparisonsStopOnTheirCondition() throws {
        let bench = try prepared()
        let cpu = bench.cpu
        cpu.pointee.rdi = FamilyBench.windowBase
        cpu.pointee.rax = 0x20
        cpu.pointee.rcx = 1000
        #expect(try executeOnce(bench, [0xF2, 0xAE]) == nil)  // repne scasb
        #expect(cpu.pointee.rcx == 1000 - 0x21)
        #expect(cpu.pointee.rflags & RFLAGS.zf != 0)
        cpu.pointee.rsi = FamilyBench.windowBase + 0x100
        cpu.pointee.rdi = FamilyBench.windowBase
        bench.window.storeBytes(of: 0, toByteOffset: 0x105, as: UInt8.self)
        cpu.pointee.rcx = 1000
        #expect(try executeOnce(bench, [0xF3, 0xA6]) == nil)  // repe cmpsb
        #expect(cpu.pointee.rcx == 994)
        #expect(cpu.pointee.rflags & (RFLAGS.zf | RFLAGS.cf) == RFLAGS.cf)
    }
}
