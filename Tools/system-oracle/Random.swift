/// A generator whose numbers are a function of a seed and a case's number (SplitMix64, by Steele,
/// Lea and Flood, OOPSLA 2014).
struct Random {
    private var state: UInt64

    init(seed: UInt64, number: UInt64) {
        state = seed &* 0xD134_2543_DE82_EF95 &+ number &* 0x2545_F491_4F6C_DD1D
        _ = next()
        state ^= next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// 0 ..< `bound`.
    mutating func below(_ bound: Int) -> Int { Int(next() >> 33) % bound }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
}
