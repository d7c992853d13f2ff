import Trace

/// One thing that a guest did to its host or had done to it: an entry of the guest-visible stream.
/// What the host does for itself (its interrupts, shadow faults, the way in and out) is not here.
public struct GuestItem: Equatable, Sendable {
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// A guest user's SYSCALL; `number` is RAX, `arguments` RDI, RSI, RDX, R10.
        case systemCall = 0
        /// A hypercall, likewise.
        case hypercall = 1
        /// An exception or software interrupt that reached the guest kernel's handler; `number` is
        /// the vector. Of a #PF `arguments` are the address and the bits of the error code that do
        /// not depend on the host's tables (W, U, I); of another the error code.
        case exception = 2
        /// A virtual interrupt that reached the guest kernel's handler; `number` counts from 0.
        case interrupt = 3
    }

    public var kind: Kind
    /// VCPU id + 1.
    public var vcpu: UInt16
    public var number: UInt32
    /// Instructions that the guest has retired since the item before, on the same vCPU of the
    /// machine.
    public var distance: UInt64
    /// Of a call the instruction after it; of an exception the instruction itself; else 0.
    public var rip: UInt64
    public var arguments: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    public init(_ kind: Kind, vcpu: UInt16, number: UInt32, distance: UInt64, rip: UInt64) {
        self.kind = kind
        self.vcpu = vcpu
        self.number = number
        self.distance = distance
        self.rip = rip
    }

    public static func == (a: GuestItem, b: GuestItem) -> Bool {
        a.matches(b, sameGuest: true) && a.distance == b.distance && a.vcpu == b.vcpu
    }

    /// Whether a guest would take the two for the same. Addresses, arguments and instruction counts
    /// mean the same only where the guest's image is the same.
    func matches(_ other: GuestItem, sameGuest: Bool) -> Bool {
        if kind != other.kind || number != other.number { return false }
        if !sameGuest { return true }
        if kind == .interrupt && distance != other.distance { return false }
        return rip == other.rip && arguments == other.arguments
    }
}

/// How far a guest has come on one vCPU of the machine: items so far, and instructions retired in
/// guest contexts since the last. Comparing lexicographically orders instants of the guest's world,
/// whatever happens on the host between them.
public struct GuestPosition: Comparable, Sendable {
    public var items: UInt64 = 0
    public var distance: UInt64 = 0

    public static func < (a: GuestPosition, b: GuestPosition) -> Bool {
        a.items != b.items ? a.items < b.items : a.distance < b.distance
    }
}

/// Where two guest-visible streams part.
public struct GuestDifference: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// The recorded run has `expected` where the other has `actual`; nil where one stream has
        /// ended.
        case item(expected: GuestItem?, actual: GuestItem?)
        /// The console's text differs from this byte on; each side's bytes from there.
        case console(offset: Int, expected: [UInt8], actual: [UInt8])
        /// All that the guest saw agrees, but the runs end in different ways.
        case end(expected: RunEnd, actual: RunEnd)
    }

    public var kind: Kind
    /// VCPU id + 1, or 0 where none is concerned.
    public var vcpu: UInt16
    /// Items of that VCPU that agreed before it.
    public var agreeing: Int
    /// Instructions that guests have retired before it, in the run that is compared.
    public var guestInstructions: UInt64
    /// Machine cycle and the next event's sequence number, there.
    public var cycle: UInt64
    public var event: UInt64
    /// The last items that agreed, oldest first.
    public var before: [GuestItem]
}
