import ArgumentParser
import Machine
import Paravirt

/// Words for the machine's choices on the command line.
enum CPUModel: String, ExpressibleByArgument, CaseIterable {
    case intel, amd

    var vendor: Vendor { self == .intel ? .intel : .amd }
}

enum ExecutorName: String, ExpressibleByArgument, CaseIterable {
    case blocks, stepwise

    var executor: Executor { self == .blocks ? .blocks : .stepwise }
}

enum InputPortName: String, ExpressibleByArgument, CaseIterable {
    case serial, virtio

    var port: ConsoleInput { self == .serial ? .serial : .virtio }
}

enum LevelName: String, ExpressibleByArgument, CaseIterable {
    case paths, tables

    var level: ObservationLevel { self == .paths ? .paths : .tables }
}

/// A number of bytes: `256M`, `1G`, `65536`.
struct ByteCount: ExpressibleByArgument {
    var bytes: UInt64

    init(bytes: UInt64) { self.bytes = bytes }

    init?(argument: String) {
        let shifts: [Character: UInt64] = ["K": 10, "M": 20, "G": 30]
        guard let last = argument.uppercased().last else { return nil }
        let shift = shifts[last]
        guard let number = UInt64(shift == nil ? argument : String(argument.dropLast())),
            number <= UInt64.max >> (shift ?? 0)
        else { return nil }
        bytes = number << (shift ?? 0)
    }

    var defaultValueDescription: String {
        bytes % (1 << 20) == 0 ? "\(bytes >> 20)M" : "\(bytes)"
    }
}

/// A count, decimal or `0x` hexadecimal, with optional `_` between digits and `k`, `M`, `G` for
/// thousands, millions and milliards.
struct Count: ExpressibleByArgument {
    var value: UInt64

    init(_ value: UInt64) { self.value = value }

    init?(argument: String) {
        let text = argument.filter { $0 != "_" }
        if text.hasPrefix("0x") {
            guard let number = UInt64(text.dropFirst(2), radix: 16) else { return nil }
            value = number
            return
        }
        let scales: [Character: UInt64] = ["k": 1000, "M": 1_000_000, "G": 1_000_000_000]
        guard let last = text.last else { return nil }
        let scale = scales[last] ?? 1
        guard let number = UInt64(scale == 1 ? text : String(text.dropLast())) else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: scale)
        guard !overflow else { return nil }
        value = product
    }

    var defaultValueDescription: String { String(value) }
}
