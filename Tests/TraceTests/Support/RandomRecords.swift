import SeededRandom
@testable import Trace

extension SplitMix64 {
    /// A number of any magnitude: extremes are as likely as small ones.
    mutating func anySize() -> UInt64 {
        let bits = below(66)
        if bits == 65 { return .max }
        return bits == 0 ? 0 : next() >> UInt64(64 - bits)
    }
}

/// One step of a recording, with what the writer needs beside the record.
enum Step {
    case event(Event, page: [UInt8]?)
    case eventReturn(EventReturn)
    case console(UInt8, cpu: UInt8, cycle: UInt64)
    case input(Input)
    case checkpoint(CheckpointInfo, state: [UInt8])
}

/// Makes up recordings from a seed.
struct RecordingMaker {
    enum Style {
        /// Every field at random.
        case wild
        /// Loops over a few sites, as a boot has.
        case regular
    }
    private var numbers: SplitMix64
    private let style: Style
    private let cpus: Int
    private let sharedSize: Int
    private var sequence: UInt64 = 0
    private var cycle = [UInt64](repeating: 1000, count: 256)
    private var instruction = [UInt64](repeating: 500, count: 256)
    private var pages: [UInt16: [UInt8]] = [:]
    private var open: [UInt64] = []
    private var digest: UInt64 = 1
    private var position = 0

    init(seed: UInt64, style: Style, cpus: Int, sharedSize: Int) {
        numbers = SplitMix64(seed)
        self.style = style
        self.cpus = cpus
        self.sharedSize = sharedSize
    }

    mutating func steps(_ count: Int) -> [Step] { (0..<count).map { _ in step() } }

    private mutating func step() -> Step {
        switch numbers.below(100) {
        case 0..<55: return event()
        case 55..<90 where sequence > 0: return eventReturn()
        case 90..<96:
            let cpu = UInt8(numbers.below(cpus))
            return .console(
                UInt8(numbers.below(256)), cpu: cpu, cycle: cycle[Int(cpu)] &+ 3)
        case 96..<98: return input()
        case 98 where numbers.chance(60): return checkpoint()
        default: return event()
        }
    }

    private mutating func event() -> Step {
        var event = Event()
        event.sequence = sequence
        event.cpu = UInt8(numbers.below(cpus))
        let cpu = Int(event.cpu)
        position = (position + 1) % 7
        let wild = style == .wild || numbers.chance(5)
        event.kind = EventKind.allCases[wild ? numbers.below(EventKind.allCases.count) : position]
        event.vcpu = wild ? UInt16(truncatingIfNeeded: numbers.anySize()) : 1
        event.number = wild ? UInt32(truncatingIfNeeded: numbers.anySize()) : UInt32(position)
        event.from = Context.allCases[wild ? numbers.below(4) : position % 4]
        event.to = Context.allCases[wild ? numbers.below(4) : 0]
        cycle[cpu] &+= wild ? numbers.anySize() : UInt64(100 + position * 7)
        instruction[cpu] &+= wild ? numbers.anySize() : UInt64(40 + position)
        event.cycle = cycle[cpu]
        event.instruction = instruction[cpu]
        event.rip = wild ? numbers.anySize() : 0xffff_8000_0010_0000 + UInt64(position * 64)
        event.rsp = wild ? numbers.anySize() : 0x7fff_0000 - UInt64(position * 16)
        event.errorCode = wild ? UInt32(truncatingIfNeeded: numbers.anySize()) : 4
        event.cr2 = wild ? numbers.anySize() : sequence &* 4096
        event.arguments = (
            wild ? numbers.anySize() : 1, sequence, wild ? numbers.anySize() : sequence &* 8,
            numbers.chance(3) ? numbers.anySize() : 0, 0, wild ? numbers.anySize() : 7
        )
        digest = digest &* 0x9e37_79b9_7f4a_7c15 &+ event.rip
        event.digest = digest
        sequence += 1
        open.append(event.sequence)
        if open.count > 60 { open.removeFirst() }
        let page = sharedSize > 0 && numbers.chance(80) ? page(event.vcpu) : nil
        event.sharedPageKnown = page != nil
        return .event(event, page: page)
    }

    private mutating func page(_ vcpu: UInt16) -> [UInt8] {
        var page = pages[vcpu] ?? [UInt8](repeating: 0, count: sharedSize)
        if style == .regular {
            page[0] ^= 1
            page[min(8, sharedSize - 1)] &+= 1
        }
        if numbers.chance(style == .wild ? 60 : 5) {
            for _ in 0...numbers.below(20) {
                page[numbers.below(sharedSize)] = UInt8(numbers.below(256))
            }
        }
        pages[vcpu] = page
        return page
    }

    private mutating func eventReturn() -> Step {
        var back = EventReturn()
        if numbers.chance(90), let last = open.popLast() {
            back.event = last
        } else {
            back.event = numbers.next() % sequence
        }
        back.cpu = UInt8(numbers.below(cpus))
        let cpu = Int(back.cpu)
        cycle[cpu] &+= style == .wild ? numbers.anySize() : 55
        instruction[cpu] &+= style == .wild ? numbers.anySize() : 20
        back.cycle = cycle[cpu]
        back.instruction = instruction[cpu]
        back.result = style == .wild ? numbers.anySize() : back.event
        return .eventReturn(back)
    }

    private mutating func input() -> Step {
        var input = Input()
        input.kind = [.console, .interrupt, .nmi, .machineCheck][numbers.below(4)]
        input.cpu = UInt8(numbers.below(cpus))
        input.number = UInt32(truncatingIfNeeded: numbers.anySize())
        input.cycle = numbers.anySize()
        input.instruction = numbers.anySize()
        input.bytes = (0..<numbers.below(40)).map { _ in UInt8(numbers.below(256)) }
        return .input(input)
    }

    private mutating func checkpoint() -> Step {
        var info = CheckpointInfo()
        info.kind = numbers.chance(50) ? .full : .incremental
        info.sequence = sequence
        info.cycle = cycle[0]
        info.instructions = (0..<cpus).map { instruction[$0] }
        info.eventDigest = digest
        let state = (0..<(numbers.below(3000))).map { UInt8(truncatingIfNeeded: $0 / 7) }
        return .checkpoint(info, state: state)
    }
}
