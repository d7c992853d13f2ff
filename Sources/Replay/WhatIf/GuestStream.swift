import Machine

/// The guest-visible stream of a run: kept from the recorded run, compared in the other.
final class GuestStream {
    /// By VCPU id.
    private(set) var items: [[GuestItem]]
    private(set) var console: [UInt8] = []
    private(set) var difference: GuestDifference?

    /// What this stream is compared with, and how far that has come; nil while recording.
    private let expected: GuestStream?
    private let sameGuest: Bool
    private var reached: [Int]
    private var consoleReached = 0
    /// Where the texts have parted: the rest of the line is waited for.
    private var consolePlace: GuestPlace?
    private static let context = 5
    private static let consoleContext = 80

    static let vcpus = 64

    init(comparedWith expected: GuestStream? = nil, sameGuest: Bool = true) {
        self.expected = expected
        self.sameGuest = sameGuest
        items = Array(repeating: [], count: Self.vcpus)
        reached = Array(repeating: 0, count: Self.vcpus)
    }

    /// Whether everything of the recorded stream has come again.
    var isComplete: Bool {
        guard let expected else { return false }
        return (0..<Self.vcpus).allSatisfy { reached[$0] >= expected.items[$0].count }
            && consoleReached >= expected.console.count
    }

    var itemCount: Int {
        expected == nil ? items.reduce(0) { $0 + $1.count } : reached.reduce(0, +)
    }

    /// - Returns: whether the streams have just parted.
    func add(_ item: GuestItem, _ place: @autoclosure () -> GuestPlace) -> Bool {
        let vcpu = Int(item.vcpu) - 1
        guard vcpu >= 0, vcpu < Self.vcpus else { return false }
        guard let expected else {
            items[vcpu].append(item)
            return false
        }
        if difference != nil { return false }
        if let consolePlace {
            part(consoleDifference(expected), nil, consolePlace)
            return true
        }
        let number = reached[vcpu]
        if number < expected.items[vcpu].count {
            let other = expected.items[vcpu][number]
            if other.matches(item, sameGuest: sameGuest) {
                reached[vcpu] = number + 1
                return false
            }
            part(.item(expected: other, actual: item), vcpu, place())
        } else {
            part(.item(expected: nil, actual: item), vcpu, place())
        }
        return true
    }

    /// - Returns: whether the streams have just parted.
    func print(_ byte: UInt8, _ place: @autoclosure () -> GuestPlace) -> Bool {
        console.append(byte)
        guard let expected, difference == nil else { return false }
        if let consolePlace {
            guard byte == 0x0A || console.count > consoleReached + Self.consoleContext else {
                return false
            }
            part(consoleDifference(expected), nil, consolePlace)
            return true
        }
        if consoleReached < expected.console.count, expected.console[consoleReached] == byte {
            consoleReached += 1
            return false
        }
        consolePlace = place()
        return false
    }

    /// Compares the ends of two runs that have agreed so far: what was recorded and did not come,
    /// and the outcomes.
    func finish(_ end: RunEnd, expected recorded: RunEnd, isWhole: Bool, _ place: GuestPlace) {
        guard let expected, difference == nil else { return }
        if let consolePlace {
            part(consoleDifference(expected), nil, consolePlace)
            return
        }
        guard isWhole else { return }
        for vcpu in 0..<Self.vcpus where reached[vcpu] < expected.items[vcpu].count {
            let next = expected.items[vcpu][reached[vcpu]]
            part(.item(expected: next, actual: nil), vcpu, place)
            return
        }
        if consoleReached < expected.console.count {
            part(consoleDifference(expected), nil, place)
        } else if end.outcome != recorded.outcome || end.reason != recorded.reason {
            part(.end(expected: recorded, actual: end), nil, place)
        }
    }

    /// From the start of the line in which the texts part, up to where they differ and a little on.
    private func consoleDifference(_ expected: GuestStream) -> GuestDifference.Kind {
        let line = console[..<consoleReached].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let end = min(expected.console.count, consoleReached + Self.consoleContext)
        return .console(
            offset: consoleReached, expected: Array(expected.console[line..<end]),
            actual: Array(console[line...]))
    }

    private func part(_ kind: GuestDifference.Kind, _ vcpu: Int?, _ place: GuestPlace) {
        var before: [GuestItem] = []
        if let vcpu, let expected {
            let number = reached[vcpu]
            before = Array(expected.items[vcpu][max(0, number - Self.context)..<number])
        }
        difference = GuestDifference(
            kind: kind, vcpu: vcpu.map { UInt16($0 + 1) } ?? 0,
            agreeing: vcpu.map { reached[$0] } ?? reached.reduce(0, +),
            guestInstructions: place.guestInstructions, cycle: place.cycle, event: place.event,
            before: before)
    }
}

/// Where a run stands when the streams part.
struct GuestPlace {
    var guestInstructions: UInt64
    var cycle: UInt64
    var event: UInt64
}
