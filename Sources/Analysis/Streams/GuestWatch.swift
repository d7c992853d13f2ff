import Trace

/// Follows guests' shared pages for the virtual interrupts that they take, which no record tells
/// of.
///
/// A virtual interrupt was taken between two events of a guest where its bit in `irq_pending` went
/// away, or `ticks` grew and left no bit. The host delivers one only with the guest's interrupts
/// on, and turns them off to deliver an exception: an exception after which one was taken was the
/// host's to deal with, however long it was until the guest came back to it.
struct GuestWatch {
    private struct Seen {
        var pending: UInt64 = 0
        var ticks: UInt64 = 0
        var isKnown = false
    }
    /// By the low eight bits of VCPU id + 1.
    private var seen = ContiguousArray<Seen>(repeating: Seen(), count: 256)

    /// The virtual interrupts (bit n: number n) that a guest took since its event before this one;
    /// nil where its shared page does not tell.
    @inline(__always)
    mutating func taken(_ vcpu: UInt16, _ page: UnsafeRawBufferPointer) -> UInt64? {
        let slot = Int(vcpu & 255)
        guard page.count >= 32 else {
            seen[slot].isKnown = false
            return nil
        }
        let pending = UInt64(
            UInt32(littleEndian: page.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        let ticks = UInt64(
            littleEndian: page.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        let before = seen[slot]
        seen[slot] = Seen(pending: pending, ticks: ticks, isKnown: true)
        guard before.isKnown else { return 0 }
        let raised =
            before.pending | (ticks > before.ticks ? UInt64(ReferenceABI.timerBit) : 0)
        return raised & ~pending
    }
}
