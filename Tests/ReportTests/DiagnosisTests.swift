import Testing
import Trace
import X86

@testable import Report

/// Diagnoses as texts: what a person gets. The stored ones are read by people, so a change is
/// reviewed as prose.
@Suite struct DiagnosisTests {
    /// Memory of a made-up machine: the sample's sections and one page of stack.
    struct Memory {
        var parts: [(start: UInt64, bytes: [UInt8])] = []

        init(_ image: [UInt8]) throws {
            let file = try ELFSections(image)
            for section in file.sections where section.flags & ELFSections.allocated != 0 {
                parts.append((section.address, Array(image[section.contents])))
            }
        }

        mutating func map(_ start: UInt64, words: [UInt64]) {
            let bytes = words.flatMap { word in (0..<8).map { UInt8(word >> (8 * $0) & 255) } }
            parts.append((start, bytes))
        }

        func read(_ address: UInt64, _ count: Int) -> [UInt8]? {
            for part in parts where address >= part.start {
                let offset = address - part.start
                guard offset <= UInt64(part.bytes.count),
                    count <= part.bytes.count - Int(offset)
                else { continue }
                return Array(part.bytes[Int(offset)..<(Int(offset) + count)])
            }
            return nil
        }
    }

    static let stack: UInt64 = 0xffff_8100_0000_2000

    /// A guest kernel stopped in `add`, called by `walk`, called by `outer`, called by `start`.
    static func base() throws -> DiagnosisInput {
        var input = DiagnosisInput()
        let image = try Files.bytes("Fixtures/sample-dwarf4.elf")
        input.symbols.add(image: image, name: "guest", contexts: [.guestKernel, .guestUser])
        var memory = try Memory(image)
        memory.map(
            stack,
            words: [
                stack + 0x20, 0x100064, 1, 2, stack + 0x40, 0x1000e7, 3, 4, 0, 0x10001c, 0, 0,
            ])
        var registers = RegisterFile()
        registers.rip = 0x10008c
        registers.rflags = 0x10202
        for i in 0..<16 { registers.general[i] = UInt64(i) * 0x1111 }
        registers.general[4] = stack - 8
        registers.general[5] = stack
        input.places.append(
            DiagnosisPlace(
                title: "guest kernel, VCPU 0, as saved at its last exit", context: .guestKernel,
                registers: registers, read: memory.read))
        input.outcome.kind = .guestPanic
        input.outcome.reason = "init died"
        input.outcome.instructions = 123_456
        input.outcome.cycles = 987_654
        input.outcome.events = 4
        input.callName = { $0.kind == .hypercall && $0.number == 2 ? "CRASH" : nil }
        input.advice = ["The trace is boot.pvt: replay it with `pvreplay replay boot.pvt`."]
        return input
    }

    static func event(
        _ sequence: UInt64, _ kind: EventKind, _ number: UInt32, from: Context,
        rip: UInt64 = 0x100086, cr2: UInt64 = 0, error: UInt32 = 0, rsp: UInt64 = stack
    ) -> Event {
        var event = Event()
        event.sequence = sequence
        event.kind = kind
        event.number = number
        event.from = from
        event.cycle = 1000 + sequence * 100
        event.rip = rip
        event.rsp = rsp
        event.cr2 = cr2
        event.errorCode = error
        if kind == .syscall || kind == .hypercall {
            event.arguments = (1, 0x100108, 12, 0, 0, 0)
        }
        return event
    }

    static func returned(_ event: Event, after cycles: UInt64, result: UInt64 = 0)
        -> DiagnosisEvent
    {
        var back = EventReturn()
        back.event = event.sequence
        back.cycle = event.cycle + cycles
        back.result = result
        return DiagnosisEvent(event, back: back)
    }

    @Test func guestPanic() throws {
        var input = try Self.base()
        input.events = [
            Self.returned(Self.event(0, .syscall, 39, from: .hostUser), after: 120, result: 7),
            Self.returned(Self.event(1, .interrupt, 0x30, from: .guestUser), after: 900),
            Self.returned(Self.event(2, .syscall, 60, from: .guestUser), after: 300),
            DiagnosisEvent(Self.event(3, .hypercall, 2, from: .guestKernel)),
        ]
        try Files.compare(Diagnosis.text(input), with: "Snapshots/guest-panic.txt")
    }

    @Test func wildJump() throws {
        var input = try Self.base()
        input.outcome.kind = .guestKilled
        input.outcome.reason = "unhandled page fault at 0xdead0000"
        var place = input.places[0]
        let read = place.read
        place.registers.rip = 0xdead_0000
        place.registers.general[4] = Self.stack + 8
        place.registers.control = (
            0x8005_0033, 0xdead_0000, 0x20_3000, 0x6a0, 0xd01
        )
        place.registers.selectors = [0, 0x33, 0x2b, 0, 0, 0]
        place.registers.gsBase = 0xffff_8100_0000_0000
        place.read = { read($0, $1) }
        input.places = [place]
        input.events = [
            DiagnosisEvent(
                Self.event(
                    9, .exception, 14, from: .guestKernel, rip: 0xdead_0000, cr2: 0xdead_0000,
                    error: 0x14))
        ]
        try Files.compare(Diagnosis.text(input), with: "Snapshots/wild-jump.txt")
    }

    @Test func pageFaultLoop() throws {
        var input = try Self.base()
        input.outcome.kind = .limit
        input.outcome.reason = ""
        input.limit = "200000000 cycles"
        input.places[0].registers.rflags = 0x2
        input.places[0].takesInterrupts = false
        input.events = (0..<12).map {
            Self.returned(
                Self.event($0, .exception, 14, from: .guestUser, cr2: 0x5000, error: 6),
                after: 2000)
        }
        let text = Diagnosis.text(input)
        #expect(text.contains("the last 12 exceptions are the same #PF"))
        #expect(text.contains("interrupts are off"))
        try Files.compare(text, with: "Snapshots/page-fault-loop.txt")
    }

    @Test func doubleFaultOfAnOverflow() throws {
        var input = try Self.base()
        input.outcome.kind = .tripleFault
        input.outcome.reason = ""
        input.events = [
            DiagnosisEvent(
                Self.event(
                    3, .exception, 14, from: .hostKernel, cr2: Self.stack - 16, error: 2)),
            DiagnosisEvent(Self.event(4, .exception, 8, from: .hostKernel)),
            DiagnosisEvent(Self.event(5, .tripleFault, 0, from: .hostKernel)),
        ]
        let text = Diagnosis.text(input)
        #expect(text.contains("the stack has overflowed"))
        #expect(text.contains("double fault was delivered, just after #PF"))
        try Files.compare(text, with: "Snapshots/double-fault.txt")
    }

    @Test(arguments: [
        (0x10 as UInt64, 0 as UInt32, "a NULL pointer"),
        (0x7000, 0xd, "a page table that maps 0x7000 is corrupted"),
        (0x7000, 0x15, "which may not be executed: a wild jump"),
        (0x7000, 0x10, "where none is mapped: a wild jump"),
    ])
    func hintsFollowTheErrorCode(cr2: UInt64, error: UInt32, hint: String) throws {
        var input = try Self.base()
        input.events = [
            DiagnosisEvent(
                Self.event(0, .exception, 14, from: .guestKernel, cr2: cr2, error: error))
        ]
        #expect(Diagnosis.text(input).contains(hint))
    }

    @Test func theStackWalkEndsWhateverTheStackHolds() throws {
        var input = try Self.base()
        var state: UInt64 = 5
        for _ in 0..<2000 {
            var memory = Memory2(seed: state)
            state = memory.next()
            input.places[0].registers.general[5] = Self.stack + state % 64 * 8
            let words = memory.words
            input.places[0].read = { address, count in
                guard address >= Self.stack, address - Self.stack <= 1024 - UInt64(count) else {
                    return nil
                }
                return (0..<count).map {
                    let place = Int(address - Self.stack) + $0
                    return UInt8(truncatingIfNeeded: words[place / 8] >> UInt64(place % 8 * 8))
                }
            }
            let frames = StackWalk.frames(input.places[0], input.symbols)
            #expect(frames.count <= StackWalk.limit + 2)
        }
    }

    /// Words of which many point back into the stack.
    struct Memory2 {
        var words: [UInt64] = []
        private var state: UInt64

        init(seed: UInt64) {
            state = seed
            for _ in 0..<128 {
                let word = next()
                words.append(word % 3 == 0 ? word : DiagnosisTests.stack + word % 128 * 8)
            }
        }

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 16
        }
    }

    @Test func aGuestsWordsCannotDriveTheTerminal() {
        #expect(Diagnosis.printable("a\u{1b}[2Jb\u{9b}c\nd\u{7f}") == "a\\x1b[2Jb\\x9bc / d\\x7f")
    }

    @Test func registersAreNamedInFlags() {
        #expect(RegisterText.flags(0x3246) == "if zf pf iopl=3")
        #expect(RegisterText.flags(0x2) == "")
    }
}
