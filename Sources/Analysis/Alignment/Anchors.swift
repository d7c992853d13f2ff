/// Places where two sequences surely belong together: runs of keys that each has exactly once, the
/// longest chain of them that keeps the order of both (B. Cohen's "patience" diff, for runs).
enum Anchors {
    private struct Slot {
        var digest: UInt64 = 0
        var a: Int32 = -1
        var b: Int32 = -1
        var countA: UInt8 = 0
        var countB: UInt8 = 0
    }

    /// - Parameter run: keys a run has.
    /// - Returns: places where runs begin, ascending in both sequences.
    static func find(_ a: ArraySlice<UInt64>, _ b: ArraySlice<UInt64>, run: Int) -> [Place] {
        guard a.count >= run, b.count >= run else { return [] }
        let slots = table(a, b, run)
        var pairs: [Place] = []
        for slot in slots where slot.countA == 1 && slot.countB == 1 {
            let place = Place(a: Int(slot.a), b: Int(slot.b))
            if agree(a, b, place, run) { pairs.append(place) }
        }
        pairs.sort { $0.a < $1.a }
        return longestChain(pairs)
    }

    private static func agree(
        _ a: ArraySlice<UInt64>, _ b: ArraySlice<UInt64>, _ place: Place, _ run: Int
    ) -> Bool {
        for i in 0..<run
        where a[a.startIndex + place.a + i] != b[b.startIndex + place.b + i] { return false }
        return true
    }

    /// Every run of both sequences by its digest.
    private static func table(
        _ a: ArraySlice<UInt64>, _ b: ArraySlice<UInt64>, _ run: Int
    ) -> [Slot] {
        var size = 16
        while size < 2 * (a.count + b.count) { size *= 2 }
        var slots = [Slot](repeating: Slot(), count: size)
        let mask = size - 1
        slots.withUnsafeMutableBufferPointer { slots in
            rolling(a, run) { digest, place in
                let slot = Self.slot(slots, mask, digest)
                slots[slot].digest = digest
                slots[slot].a = Int32(place)
                slots[slot].countA = min(2, slots[slot].countA + 1)
            }
            rolling(b, run) { digest, place in
                let slot = Self.slot(slots, mask, digest)
                slots[slot].digest = digest
                slots[slot].b = Int32(place)
                slots[slot].countB = min(2, slots[slot].countB + 1)
            }
        }
        return slots
    }

    /// The slot that has this digest, or the free one for it.
    @inline(__always)
    private static func slot(
        _ slots: UnsafeMutableBufferPointer<Slot>, _ mask: Int, _ digest: UInt64
    ) -> Int {
        var place = Int(truncatingIfNeeded: mixed(0, digest)) & mask
        while slots[place].countA | slots[place].countB != 0 && slots[place].digest != digest {
            place = (place &+ 1) & mask
        }
        return place
    }

    /// Gives the digest of the run at every place: a polynomial over its keys, modulo 2^64.
    @inline(__always)
    private static func rolling(
        _ keys: ArraySlice<UInt64>, _ run: Int, _ body: (UInt64, Int) -> Void
    ) {
        let factor: UInt64 = 0xD134_2543_DE82_EF95
        var power: UInt64 = 1
        for _ in 0..<run { power = power &* factor }
        var digest: UInt64 = 0
        let start = keys.startIndex
        for i in 0..<keys.count {
            digest = digest &* factor &+ keys[start &+ i]
            if i >= run { digest = digest &- keys[start &+ i &- run] &* power }
            if i >= run - 1 { body(digest, i - run + 1) }
        }
    }

    /// The longest sequence of pairs, already ascending in A, that ascends in B too.
    private static func longestChain(_ pairs: [Place]) -> [Place] {
        guard !pairs.isEmpty else { return [] }
        /// The pair that ends the chain of each length at the smallest B.
        var tails: [Int] = []
        var before = [Int](repeating: -1, count: pairs.count)
        for i in pairs.indices {
            var low = 0
            var high = tails.count
            while low < high {
                let middle = (low + high) / 2
                if pairs[tails[middle]].b < pairs[i].b { low = middle + 1 } else { high = middle }
            }
            if low > 0 { before[i] = tails[low - 1] }
            if low == tails.count { tails.append(i) } else { tails[low] = i }
        }
        var chain: [Place] = []
        var next = tails[tails.count - 1]
        while next >= 0 {
            chain.append(pairs[next])
            next = before[next]
        }
        return chain.reversed()
    }
}
