import Testing
import Trace

@testable import Report

/// What a diagnosis says of a Linux kernel that hangs or gives up, by made-up places.
@Suite struct LinuxDiagnosisTests {
    static let code: UInt64 = 0xFFFF_FFFF_8100_0000
    static let module: UInt64 = 0xFFFF_FFFF_C000_0000

    /// A kernel's functions of 64 bytes, and a module's: one piece for its start.
    static func symbols() -> SymbolTable {
        var table = SymbolTable()
        let names = [
            "delay", "panic", "oops_end", "handler", "main", "cpu_idle", "asm_interrupt",
        ]
        table.add(
            symbols: names.enumerated().map { n, name in
                ELFSymbol(address: code + UInt64(n) * 64, size: 64, name: name, rank: 5)
            }, ranges: [code..<(code + 4096)], name: "", contexts: [.hostKernel])
        table.add(
            symbols: [
                ELFSymbol(address: module, size: 0, name: "spin", rank: 5),
                ELFSymbol(address: module + 0x5000, size: 0, name: "init_module", rank: 5),
            ], ranges: [module..<(module + 4096), (module + 0x5000)..<(module + 0x6000)],
            name: "stuck", contexts: [.hostKernel])
        return table
    }

    static func place(_ number: Int, rip: UInt64, flags: UInt64 = 0x202) -> DiagnosisPlace {
        var registers = RegisterFile()
        registers.rip = rip
        registers.rflags = flags
        return DiagnosisPlace(
            title: "CPU \(number), in the kernel", cpu: number, context: .hostKernel,
            registers: registers,
            read: { _, count in [UInt8](repeating: 0x90, count: count) })
    }

    static func input(_ kind: OutcomeKind, _ places: [DiagnosisPlace]) -> DiagnosisInput {
        var input = DiagnosisInput()
        input.isPlain = true
        input.searchesStacks = true
        input.outcome.kind = kind
        if kind == .limit { input.limit = "1 instructions" }
        input.symbols = symbols()
        input.places = places
        return input
    }

    static func interrupts(_ cpu: UInt8, _ places: [UInt64]) -> [DiagnosisEvent] {
        places.enumerated().map { n, rip in
            var event = DiagnosisTests.event(
                UInt64(n), .interrupt, 236, from: .hostKernel, rip: rip)
            event.cpu = cpu
            return DiagnosisEvent(event)
        }
    }

    @Test func aLoopIsNamedByTheInterruptsThatFindIt() {
        let last = "found it in stuck!spin: it loops there"
        var input = Self.input(.limit, [Self.place(0, rip: Self.module + 8)])
        let six = (0..<6).map { Self.module + $0 }
        input.events = Self.interrupts(0, six)
        #expect(Diagnosis.text(input).contains("interrupts of CPU 0 all \(last)"))
        // Too few, one elsewhere, one in a program.
        input.events = Self.interrupts(0, Array(six.dropFirst()))
        #expect(!Diagnosis.text(input).contains(last))
        input.events = Self.interrupts(0, six.dropLast() + [Self.code])
        #expect(!Diagnosis.text(input).contains(last))
        input.events = Self.interrupts(0, six)
        input.events[5].event.from = .hostUser
        #expect(!Diagnosis.text(input).contains(last))
        // What another processor does takes nothing away; one that idles does not loop.
        input.events = Self.interrupts(1, six)
        for n in 0..<6 {
            input.events += Self.interrupts(0, [Self.code + UInt64(n) * 64])
            input.events += Self.interrupts(2, [Self.code + 5 * 64])
        }
        let text = Diagnosis.text(input)
        #expect(text.contains("interrupts of CPU 1 all \(last)"))
        #expect(!text.contains("cpu_idle: it loops there"))
    }

    @Test func aProcessorThatIsNotTheLastMayHaveItsInterruptsOff() {
        let text = Diagnosis.text(
            Self.input(
                .limit,
                [Self.place(0, rip: Self.code), Self.place(1, rip: Self.module, flags: 2)]))
        #expect(text.contains("CPU 1, in the kernel: interrupts are off (IF = 0)"))
        #expect(!text.contains("CPU 0, in the kernel: interrupts are off"))
    }

    /// A limit that comes in a handler says nothing of the handler, which has only just begun.
    @Test func aLimitInAnInterruptIsOfWhatItInterrupted() {
        var input = Self.input(.limit, [Self.place(0, rip: Self.code, flags: 2)])
        input.events = Self.interrupts(0, [Self.module + 8])
        input.events[0].event.cycle = 1_000
        input.outcome.cycles = 2_000
        let stub = (address: Self.code + 6 * 64 + 5, isReturn: true)
        var interrupted = [(address: Self.module + 8, isReturn: false)]
        input.callers = { [($0.registers.rip, false), stub] + interrupted }
        let text = Diagnosis.text(input)
        #expect(text.contains("  At delay, which interrupted stuck!spin+0x8\n"))
        #expect(!text.contains("interrupts are off"))
        // It has returned, or began long ago.
        input.outcome.cycles += DiagnosisHints.handlerCycles
        #expect(Diagnosis.text(input).contains("CPU 0, in the kernel: interrupts are off"))
        input.outcome.cycles = 2_000
        input.events[0].back = EventReturn()
        #expect(Diagnosis.text(input).contains("CPU 0, in the kernel: interrupts are off"))

        // Of a program the stack says nothing.
        input.events[0].back = nil
        input.events[0].event.from = .hostUser
        interrupted = []
        input.callers = { [($0.registers.rip, false), stub] }
        let place = String(Self.module + 8, radix: 16)
        #expect(
            Diagnosis.text(input).contains(
                "  At delay, which interrupted a program at 0x\(place)\n"))
        // Another task's kernel code since.
        input.callers = { [($0.registers.rip, false), (Self.code + 256 + 5, true)] }
        #expect(Diagnosis.text(input).contains("  At delay\n"))
    }

    @Test func aDeviceThatWaitsForAResetIsNamed() {
        var input = Self.input(.limit, [Self.place(0, rip: Self.code)])
        #expect(!Diagnosis.text(input).contains("virtio"))
        input.brokenDevices = ["disk 1"]
        #expect(Diagnosis.text(input).contains("  - disk 1 does nothing more: its driver broke"))
    }

    /// A program's stack grows by faults, and Linux may kill it on its way back from one.
    @Test func aProgramsStackMayGrow() {
        var input = Self.input(.hostPanic, [Self.place(0, rip: Self.code)])
        var fault = DiagnosisTests.event(1, .exception, 14, from: .hostUser, rip: 0x400)
        (fault.cr2, fault.rsp, fault.errorCode) = (0x7FFF_EFF8, 0x7FFF_F000, 6)
        input.events = [DiagnosisEvent(fault)]
        #expect(!Diagnosis.text(input).contains("overflowed"))
        fault.cr2 = 8
        input.events = [DiagnosisEvent(fault)]
        #expect(Diagnosis.text(input).contains("used address 0x8: a NULL pointer"))
        (fault.cr2, fault.from, fault.errorCode) = (0x7FFF_EFF8, .hostKernel, 2)
        input.events = [DiagnosisEvent(fault)]
        #expect(Diagnosis.text(input).contains("the stack has overflowed"))
    }

    @Test func aProgramThatLoopsIsToldByItsInterrupts() {
        let words = "the last 6 events of CPU 0 are interrupts of a program, at last at 0x405: it"
        var input = Self.input(.limit, [Self.place(0, rip: Self.code)])
        input.events = Self.interrupts(0, (0..<6).map { 0x400 + $0 })
        for n in 0..<6 { input.events[n].event.from = .hostUser }
        #expect(Diagnosis.text(input).contains(words))
        input.events[2].event.kind = .syscall
        #expect(!Diagnosis.text(input).contains(words))
    }

    /// The panic is where its function was called, which need not be the processor that ran last;
    /// what an exception's handler interrupted is what matters of it.
    @Test func aPanicIsWhereItWasCalled() {
        var input = Self.input(
            .hostPanic, [Self.place(0, rip: Self.code), Self.place(1, rip: Self.code + 8)])
        let interrupted = (address: Self.module + 0x5004, isReturn: false)
        input.callers = { place in
            let start = (address: place.registers.rip, isReturn: false)
            if place.title.hasPrefix("CPU 0") { return [start, interrupted] }
            return [
                start, (Self.code + 64 + 5, true), (Self.code + 128 + 5, true),
                (Self.code + 192 + 5, true), interrupted, (Self.code + 256 + 5, true),
            ]
        }
        #expect(
            Diagnosis.text(input).contains(
                "  At oops_end+0x4, which interrupted stuck!init_module+0x4\n"))
    }
}
