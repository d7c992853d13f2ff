import SeededRandom
import Testing
import X86

@testable import Machine

@Suite struct VirtioBlockTests {
    @Test func sectorsAreReadAndWritten() throws {
        let bench = try VirtioBench()
        bench.start(0)
        #expect(bench.request(0, 0, sector: 3, count: 1536, writes: true) == 0)
        #expect(bench.dataBytes(1536) == bench.pattern(0, 1536..<3072))
        #expect(bench.load32(bench.used + 4) == 0)
        #expect(bench.load32(bench.used + 8) == 1537)
        // Across chunks, none of them whole but the middle one.
        let bytes = (0..<6144).map { UInt8(truncatingIfNeeded: $0 * 7) }
        bench.machine.writePhysical(bench.data, bytes)
        #expect(bench.request(0, 1, sector: 6, count: 6144) == 0)
        #expect(bench.request(0, 0, sector: 4, count: 8192, writes: true) == 0)
        let expected =
            bench.pattern(0, 2048..<3072) + bytes + bench.pattern(0, 9216..<10240)
        #expect(bench.dataBytes(8192) == expected)
        #expect(bench.request(0, 4) == 0)
        #expect(
            bench.machine.writtenChunk(disk: 0, chunk: 0)?.prefix(3072).elementsEqual(
                bench.pattern(0, 0..<3072)) == true)
        #expect(bench.machine.writtenChunk(disk: 0, chunk: 3) == nil)
    }

    @Test func buffersMayBeCutAnywhere() throws {
        let bench = try VirtioBench()
        bench.start(0)
        bench.setHeader(0, 1)
        typealias D = VirtioBench.Descriptor
        let (next, write) = (VirtioBench.next, VirtioBench.write)
        // Header in two parts, data and status in odd pieces with an empty one, the status last.
        bench.put(
            [
                D(address: bench.header, count: 5, flags: next, next: 1),
                D(address: bench.header + 5, count: 11, flags: next, next: 2),
                D(address: bench.data, count: 700, flags: next | write, next: 3),
                D(address: bench.data, count: 0, flags: next | write, next: 4),
                D(address: bench.data + 700, count: 325, flags: write),
            ], at: 0x13_0000)
        bench.offer(
            0,
            [D(address: 0x13_0000, count: 80, flags: VirtioBench.indirect)])
        bench.settle()
        #expect(bench.load16(bench.used + 2) == 1)
        #expect(bench.dataBytes(1024) == bench.pattern(0, 512..<1536))
        #expect(bench.machine.readPhysical(bench.data + 1024, count: 1) == [0])
    }

    /// A request of as many segments as the configuration says, in a table: before the fourth
    /// edition the descriptor that names the table was counted as well.
    @Test(arguments: MachineEdition.allCases)
    func aRequestHasAllItsSegments(_ edition: MachineEdition) throws {
        let bench = try VirtioBench(edition: edition)
        bench.start(0)
        typealias D = VirtioBench.Descriptor
        let segments = Int(VirtioBlock.configurationWord(12, Disk(sectors: 8)))
        #expect(segments == 254)
        for count in [segments - 1, segments] {
            bench.setHeader(0, 0)
            var chain = [D(address: bench.header, count: 16, flags: VirtioBench.next, next: 1)]
            for n in 0..<count {
                chain.append(
                    D(
                        address: bench.data + UInt64(n * 512), count: 512,
                        flags: VirtioBench.next | VirtioBench.write, next: UInt16(n + 2)))
            }
            chain.append(D(address: bench.status, count: 1, flags: VirtioBench.write))
            bench.put(chain, at: 0x13_0000 + 0x8_0000)
            bench.machine.writePhysical(bench.data, [UInt8](repeating: 0, count: count * 512))
            bench.offer(
                0,
                [
                    D(
                        address: 0x13_0000 + 0x8_0000, count: UInt32(chain.count * 16),
                        flags: VirtioBench.indirect)
                ])
            bench.settle()
            let isTaken = count < segments || edition >= .fourth
            #expect((bench.deviceStatus(0) & 0x40 == 0) == isTaken)
            #expect(bench.machine.brokenDevices == (isTaken ? [] : ["disk 0"]))
            if isTaken {
                #expect(bench.dataBytes(count * 512) == bench.pattern(0, 0..<UInt64(count * 512)))
            }
        }
    }

    @Test func identityZerosAndDiscards() throws {
        let bench = try VirtioBench()
        bench.start(0)
        #expect(bench.request(0, 8, count: 20, writes: true) == 0)
        #expect(String(decoding: bench.dataBytes(14), as: UTF8.self) == "pvreplay-disk0")
        var range = ByteBuilder()
        range.add64(7)
        range.add32(20)
        range.add32(1)
        bench.machine.writePhysical(bench.data, range.bytes)
        #expect(bench.request(0, 13, count: 16) == 0)
        #expect(bench.request(0, 0, sector: 0, count: 16384, writes: true) == 0)
        let zeros = [UInt8](repeating: 0, count: 20 * 512)
        #expect(
            bench.dataBytes(16384) == bench.pattern(0, 0..<3584) + zeros
                + bench.pattern(0, 13824..<16384))
        // A discard has no flags; unknown flags, odd lists and types are not supported.
        bench.machine.writePhysical(bench.data, range.bytes)
        #expect(bench.request(0, 11, count: 16) == 2)
        #expect(bench.request(0, 13, count: 15) == 2)
        #expect(bench.request(0, 99) == 2)
        range.set32(0, at: 12)
        bench.machine.writePhysical(bench.data, range.bytes)
        #expect(bench.request(0, 11, count: 16) == 0)
        // Beyond the end.
        range.set64(3990, at: 0)
        bench.machine.writePhysical(bench.data, range.bytes)
        #expect(bench.request(0, 11, count: 16) == 1)
    }

    @Test func aDiscardGivesUpWhatWasWrittenAlone() throws {
        let bench = try VirtioBench()
        bench.start(0)
        bench.machine.writePhysical(bench.data, [UInt8](repeating: 0x5A, count: 4096))
        #expect(bench.request(0, 1, sector: 8, count: 4096) == 0)
        let chunks = { (bench: VirtioBench) in
            var numbers: [UInt64] = []
            bench.machine.bus.overlays[0].forEach { number, _ in numbers.append(number) }
            return numbers
        }
        var range = ByteBuilder()
        range.add64(4)
        range.add32(2000)
        range.add32(0)
        bench.machine.writePhysical(bench.data, range.bytes)
        #expect(bench.request(0, 11, count: 16) == 0)
        #expect(chunks(bench) == [1])
        #expect(bench.request(0, 0, sector: 0, count: 12288, writes: true) == 0)
        let zeros = [UInt8](repeating: 0, count: 4096)
        let expected = bench.pattern(0, 0..<4096) + zeros + bench.pattern(0, 8192..<12288)
        #expect(bench.dataBytes(12288) == expected)
        // Zeros that are asked for come, everywhere.
        bench.machine.writePhysical(bench.data, range.bytes)
        #expect(bench.request(0, 13, count: 16) == 0)
        #expect(chunks(bench).count == 251)
    }

    @Test func whatCannotBeDoneIsAnError() throws {
        let bench = try VirtioBench([Disk(sectors: 4000), Disk(sectors: 17, isReadOnly: true)])
        bench.start(0)
        #expect(bench.request(0, 0, sector: 3999, count: 1024, writes: true) == 1)
        #expect(bench.request(0, 0, sector: .max, count: 512, writes: true) == 1)
        #expect(bench.request(0, 0, sector: 1 << 55, count: 512, writes: true) == 1)
        #expect(bench.request(0, 1, sector: 0, count: 100) == 1)
        bench.source.unreadable = [1]
        #expect(bench.request(0, 0, sector: 0, count: 8192, writes: true) == 1)
        #expect(bench.request(0, 1, sector: 9, count: 512) == 1, "the rest cannot be had")
        #expect(bench.request(0, 1, sector: 8, count: 4096) == 0, "nothing else is needed")
        #expect(bench.request(0, 0, sector: 8, count: 4096, writes: true) == 0)
        bench.start(1)
        #expect(bench.read(1, 0x04, size: 4) & 1 << 5 == 0, "features of the upper half")
        bench.write(1, 0, 0, size: 4)
        #expect(bench.read(1, 0x04, size: 4) & 1 << 5 != 0)
        #expect(bench.request(1, 1, sector: 0, count: 512) == 1)
        #expect(bench.request(1, 0, sector: 16, count: 512, writes: true) == 0)
        #expect(bench.dataBytes(512) == bench.pattern(1, 8192..<8704))
        #expect(bench.request(1, 0, sector: 17, count: 0) == 0)
        #expect(bench.deviceStatus(1) == 15)
    }

    @Test func aBufferTakesTheTimeThatItTakes() throws {
        let bench = try VirtioBench()
        bench.start(0)
        let start = bench.machine.cycles
        bench.setHeader(0, 0)
        bench.offer(
            0,
            [
                .init(address: bench.header, count: 16, flags: VirtioBench.next, next: 1),
                .init(address: bench.data, count: 513, flags: VirtioBench.write),
            ])
        _ = bench.machine.run(RunLimits(cycles: start + 10_000))
        #expect(bench.load16(bench.used + 2) == 0)
        #expect(bench.source.reads.isEmpty)
        _ = bench.machine.run(RunLimits(cycles: start + 10_001))
        #expect(bench.load16(bench.used + 2) == 1)
        // Two at once: the second after the first's bytes.
        let again = bench.machine.cycles
        bench.offer(0, head: 0)
        bench.offer(0, head: 0)
        _ = bench.machine.run(RunLimits(cycles: again + 10_001))
        #expect(bench.load16(bench.used + 2) == 2)
        _ = bench.machine.run(RunLimits(cycles: again + 12_512))
        #expect(bench.load16(bench.used + 2) == 2)
        bench.settle()
        #expect(bench.load16(bench.used + 2) == 3)
    }

    @Test func hugeDisksCostNothing() throws {
        let bench = try VirtioBench([Disk(sectors: Disk.maximumSectors)])
        bench.start(0)
        #expect(bench.request(0, 1, sector: Disk.maximumSectors - 1, count: 512) == 0)
        #expect(bench.machine.save().diskPlaces.count == 1)
        #expect(throws: MachineError.self) { try VirtioBench([Disk(sectors: 0)]) }
        #expect(throws: MachineError.self) {
            try VirtioBench([Disk(sectors: Disk.maximumSectors + 1)])
        }
    }

    // MARK: Snapshots

    @Test func snapshotsHoldWhatWasWritten() throws {
        let disks = [Disk(sectors: 64), Disk(sectors: 4000)]
        let bench = try VirtioBench(disks)
        bench.start(1)
        let clean = bench.machine.digest()
        bench.machine.writePhysical(bench.data, Array(repeating: 0xA5, count: 8192))
        #expect(bench.request(1, 1, sector: 100, count: 1024) == 0)
        let first = bench.machine.save()
        #expect(first.diskPlaces.count == 1)
        bench.machine.markPages()
        #expect(bench.machine.digest() != clean)
        bench.machine.writePhysical(bench.data, Array(repeating: 0x5A, count: 8192))
        #expect(bench.request(1, 1, sector: 800, count: 8192) == 0)
        var range = ByteBuilder()
        range.add64(16)
        range.add64(8)
        bench.machine.writePhysical(bench.data, range.bytes)
        #expect(bench.request(1, 13, count: 16) == 0)
        // One request is under way.
        bench.setHeader(1, 2)
        bench.offer(
            1,
            [
                .init(address: bench.header, count: 16, flags: VirtioBench.next, next: 1),
                .init(address: bench.data, count: 512, flags: VirtioBench.next, next: 2),
                .init(address: bench.status, count: 1, flags: VirtioBench.write),
            ])
        let second = bench.machine.save(.sinceMark)
        #expect(second.diskPlaces.count == 3)
        #expect(second.diskPlaces.filter(\.isZeros).count == 1)
        let digest = bench.machine.digest()
        let other = try VirtioBench(disks)
        try other.machine.restore(first)
        try other.machine.restore(second)
        #expect(other.machine.digest() == digest)
        bench.settle()
        other.settle()
        #expect(other.machine.digest() == bench.machine.digest())
        #expect(other.machine.writtenChunk(disk: 1, chunk: 0) != nil)
        try other.machine.restore(first)
        #expect(other.machine.writtenChunk(disk: 1, chunk: 0) == nil)
    }

    @Test func damagedSnapshotsAreRefused() throws {
        let bench = try VirtioBench()
        bench.start(0)
        #expect(bench.request(0, 1, sector: 0, count: 8192) == 0)
        let good = bench.machine.save()
        var bad = [good, good, good, good]
        bad[0].diskChunks.removeLast()
        bad[1].diskPlaces.swapAt(0, 1)
        bad[2].diskPlaces[1].word = 500
        bad[3].diskPlaces[0].word = 1 << 40
        for snapshot in bad {
            #expect(throws: MachineError.self) { try bench.machine.restore(snapshot) }
        }
        let without = try makePC()
        #expect(throws: MachineError.self) { try without.restore(good) }
        // Any state that is cut or changed gives an error or a machine that runs on.
        var random = SplitMix64(5)
        for _ in 0..<2000 {
            var snapshot = good
            for _ in 0..<3 {
                let place = Int(random.next() % UInt64(snapshot.state.count))
                snapshot.state[place] = UInt8(truncatingIfNeeded: random.next())
            }
            let fresh = try VirtioBench()
            do throws(MachineError) {
                try fresh.machine.restore(snapshot)
            } catch { continue }
            for n in 0..<64 { fresh.write(0, 0x3000, UInt64(n), size: 2) }
        }
    }
}
