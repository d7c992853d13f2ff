import Machine

/// Makes cases: a function of seed and number.
struct Generator {
    var seed: UInt64
    var vendor: Vendor
    /// Only this world, or all.
    var world: World?
    /// The paging matrix in place of random cases.
    var isMatrix = false
    /// The most instructions of a case, beside those that load registers.
    var longest = 3

    func write(_ number: Int, to record: UnsafeMutableRawPointer) {
        record.initializeMemory(as: UInt8.self, repeating: 0, count: Layout.recordSize)
        var builder = CaseBuilder(
            record: record, random: Random(seed: seed, number: UInt64(number)))
        for n in 0..<0x400 { builder.put(Layout.code + n, 0xCC, size: 1) }
        if isMatrix {
            builder.writeMatrix(number)
            return
        }
        builder.chooseWorld(world)
        builder.writeControl(vendor)
        builder.writeTables()
        builder.writeFrame()
        builder.writeInstructions(longest: longest)
    }
}

extension CaseBuilder {
    mutating func chooseWorld(_ wanted: World?) {
        let worlds: [World] = [
            .real, .virtual8086, .protected, .protected, .protected, .protected, .long, .long,
            .long,
            .long,
        ]
        world = wanted ?? random.pick(worlds)
        switch world {
        case .real: return
        case .virtual8086:
            cpl = 3
            paging = random.pick([.none, .entries32, .pae])
        case .protected:
            cpl = random.pick([0, 0, 3, 3, 1, 2])
            bits = random.pick([32, 32, 16])
            paging = random.pick([.none, .entries32, .pae])
        case .long:
            cpl = random.pick([0, 0, 3, 3, 1, 2])
            bits = random.pick([64, 64, 64, 32, 16])
            paging = .fourLevel
        }
    }
}
