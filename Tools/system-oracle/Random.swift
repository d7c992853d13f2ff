import SeededRandom

/// Numbers that are a function of a seed and a case's number.
struct Random {
    private var numbers: SplitMix64

    init(seed: UInt64, number: UInt64) {
        numbers = SplitMix64(
            seed &* 0xD134_2543_DE82_EF95 &+ number &* 0x2545_F491_4F6C_DD1D)
        _ = next()
        numbers.state ^= next()
    }

    mutating func next() -> UInt64 { numbers.next() }

    /// 0 ..< `bound`.
    mutating func below(_ bound: Int) -> Int { Int(next() >> 33) % bound }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
}
