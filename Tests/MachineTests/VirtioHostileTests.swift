import SeededRandom
import Testing
import X86

@testable import Machine

/// Drivers that do what no driver should: the device needs a reset, and works after it.
@Suite struct VirtioHostileTests {
    typealias D = VirtioBench.Descriptor
    private static let next = VirtioBench.next
    private static let write = VirtioBench.write
    private static let indirect = VirtioBench.indirect

    /// Chains that break a rule, from descriptor 0 on.
    static let chains: [(String, [VirtioBench.Descriptor])] = [
        ("a loop", [D(address: 0x11_0000, count: 16, flags: next, next: 0)]),
        ("a number beyond the table", [D(address: 0x11_0000, count: 16, flags: next, next: 16)]),
        ("a buffer after RAM", [D(address: 4 << 20, count: 16, flags: 0)]),
        ("a buffer over RAM's end", [D(address: (4 << 20) - 8, count: 16, flags: 0)]),
        ("a buffer at the local APIC", [D(address: 0xFEE0_0000, count: 16, flags: 0)]),
        ("a buffer that wraps", [D(address: .max - 7, count: 16, flags: 0)]),
        ("a huge buffer", [D(address: 0, count: .max, flags: write)]),
        ("no header", [D(address: 0x11_0000, count: 15, flags: 0)]),
        ("no room for a status", [D(address: 0x11_0000, count: 16, flags: 0)]),
        (
            "a buffer to read after one to write",
            [
                D(address: 0x11_0000, count: 16, flags: next | write, next: 1),
                D(address: 0x11_0000, count: 16, flags: 0),
            ]
        ),
        ("an empty table", [D(address: 0x13_0000, count: 0, flags: indirect)]),
        ("a table of an odd size", [D(address: 0x13_0000, count: 20, flags: indirect)]),
        ("a table outside RAM", [D(address: 4 << 20, count: 16, flags: indirect)]),
        ("a huge table", [D(address: 0, count: 0xFFFF_FFF0, flags: indirect)]),
        ("a table with a successor", [D(address: 0x13_0000, count: 16, flags: indirect | next)]),
        ("a table in a table", [D(address: 0x10_0000, count: 16, flags: indirect)]),
    ]

    private func recovers(_ bench: VirtioBench, _ what: String) {
        #expect(bench.deviceStatus(0) == 0x4F, "\(what)")
        #expect(bench.read(0, 0x1000, size: 1) & 2 != 0, "the configuration changed: \(what)")
        let digest = bench.machine.digest()
        bench.write(0, 0x3000, 0, size: 2)
        #expect(bench.machine.digest() == digest, "a broken device does nothing: \(what)")
        bench.start(0)
        #expect(bench.request(0, 0, sector: 1, count: 512, writes: true) == 0, "\(what)")
        #expect(bench.deviceStatus(0) == 15)
    }

    @Test(arguments: chains) func chainsThatBreakARule(_ what: String, _ chain: [D]) throws {
        let bench = try VirtioBench()
        bench.start(0)
        bench.offer(0, chain)
        bench.settle()
        recovers(bench, what)
    }

    @Test func ringsAndIndices() throws {
        let bench = try VirtioBench()
        bench.start(0)
        bench.offer(0, head: 16)
        bench.settle()
        recovers(bench, "a head beyond the table")
        bench.start(0)
        bench.store16(bench.available + 2, 17)
        bench.write(0, 0x3000, 0, size: 2)
        bench.settle()
        recovers(bench, "an index that jumps")
        for place in [UInt64(0x20), 0x28, 0x30] {
            for address in [UInt64(4 << 20), (4 << 20) - 16, .max - 15, .max, 0xFEB0_0000] {
                bench.start(0, enable: false)
                bench.size = 256
                bench.write(0, 0x16, 0, size: 2)
                bench.write(0, 0x20, bench.table, size: 8)
                bench.write(0, 0x28, bench.available, size: 8)
                bench.write(0, 0x30, bench.used, size: 8)
                bench.write(0, place, address, size: 8)
                bench.write(0, 0x1C, 1, size: 2)
                bench.write(0, 0x3000, 0, size: 2)
                bench.settle()
                bench.size = 16
                recovers(bench, "a ring that is not in RAM")
            }
        }
    }

    @Test func withoutItsFeatureATableIsNone() throws {
        let bench = try VirtioBench()
        bench.start(0, features: ~(1 << 28))
        bench.offer(0, [D(address: 0x13_0000, count: 16, flags: Self.indirect)])
        bench.settle()
        recovers(bench, "a table that was not negotiated")
    }

    @Test func aLongChainEndsSomewhere() throws {
        let bench = try VirtioBench()
        bench.start(0)
        let many = (0..<1100).map {
            D(address: 0x11_0000, count: 1, flags: Self.next, next: UInt16($0 + 1))
        }
        bench.put(many, at: 0x13_0000)
        bench.offer(0, [D(address: 0x13_0000, count: 17_600, flags: Self.indirect)])
        bench.settle()
        recovers(bench, "a chain longer than any queue")
    }

    @Test func largeRequestsAreErrorsOrDone() throws {
        let bench = try VirtioBench([Disk(sectors: 1 << 20)])
        bench.start(0)
        // 64 MiB and a bit into the same megabyte again and again.
        bench.setHeader(0, 0)
        var chain = [D(address: bench.header, count: 16, flags: Self.next, next: 1)]
        for n in 1...65 {
            chain.append(
                D(
                    address: 0x20_0000, count: 1 << 20, flags: Self.next | Self.write,
                    next: UInt16(n + 1)))
        }
        chain.append(D(address: bench.status, count: 1, flags: Self.write))
        bench.put(chain, at: 0x13_0000)
        bench.offer(
            0, [D(address: 0x13_0000, count: UInt32(chain.count * 16), flags: Self.indirect)])
        bench.settle()
        #expect(bench.machine.readPhysical(bench.status, count: 1) == [1])
        #expect(bench.deviceStatus(0) == 15)
    }

    @Test func aResetForgetsWhatWasUnderWay() throws {
        let bench = try VirtioBench()
        bench.start(0)
        bench.setHeader(0, 0)
        bench.offer(
            0,
            [
                D(address: bench.header, count: 16, flags: Self.next, next: 1),
                D(address: bench.data, count: 513, flags: Self.write),
            ])
        bench.write(0, 0x14, 0, size: 1)
        bench.settle()
        #expect(bench.load16(bench.used + 2) == 0)
        #expect(bench.dataBytes(512) == [UInt8](repeating: 0, count: 512))
        #expect(!bench.machine.bus.virtio[0].queues[0].isScheduled)
        // The driver's rings may be other memory now.
        bench.start(0)
        #expect(bench.request(0, 4) == 0)
    }

    /// Codes on pages that a device writes to are decoded anew.
    @Test func decodedCodeIsForgotten() throws {
        let bench = try VirtioBench()
        let flags = bench.cpu.pointee.shared.pointee.pageFlags + Int(bench.data >> 12)
        flags.pointee |= PageFlag.code
        bench.start(0)
        #expect(bench.request(0, 0, sector: 0, count: 512, writes: true) == 0)
        #expect(flags.pointee & PageFlag.code == 0)
        #expect(flags.pointee & PageFlag.dirty != 0)
    }

    // MARK: Anything at all

    /// Random register accesses and random memory, run in two machines: no crash, and the same
    /// state.
    @Test(arguments: UInt64(0)..<12) func randomDrivers(_ seed: UInt64) throws {
        let disks = [Disk(sectors: 333), Disk(sectors: 40, isReadOnly: true)]
        let benches = [
            try VirtioBench(disks, console: true), try VirtioBench(disks, console: true),
        ]
        for bench in benches {
            var random = SplitMix64(seed)
            for n in 0..<3 {
                bench.start(n)
                bench.clear()
            }
            for _ in 0..<1500 { step(bench, &random) }
            bench.settle(cycles: 50_000_000)
            let copy = try VirtioBench(disks, console: true)
            try copy.machine.restore(bench.machine.save())
            #expect(copy.machine.digest() == bench.machine.digest())
        }
        #expect(benches[0].machine.digest() == benches[1].machine.digest())
        #expect(benches[0].console.bytes == benches[1].console.bytes)
        #expect(benches[0].source.reads == benches[1].source.reads)
    }

    private func step(_ bench: VirtioBench, _ random: inout SplitMix64) {
        let n = Int(random.next() % 3)
        let size = 1 << Int(random.next() % 4)
        let value = random.next() & .max >> (random.next() & 63)
        switch random.next() % 16 {
        case 0: bench.write(n, random.next() % 0x40, value, size: size)
        case 1: _ = bench.read(n, random.next() % 0x4000, size: size)
        case 2: bench.write(n, random.next() % 0x4000, value, size: size)
        case 3:
            let port = bench.ports(n) + UInt16(random.next() % 0x80)
            let width = min(size, 4)
            if random.next() & 1 == 0 {
                bench.machine.bus.writePort(port, value, size: width, cpu: bench.cpu)
            } else {
                _ = bench.machine.bus.readPort(port, size: width, cpu: bench.cpu)
            }
        case 4:
            let offset = UInt32(random.next() % 0x60) + 0x40
            bench.setConfiguration(
                UInt32(3 + n), offset, UInt32(truncatingIfNeeded: value), size: 1)
            _ = bench.configuration(UInt32(3 + n), offset, size: 1)
        case 5:
            let place = bench.messages(n) + random.next() % 0x1000
            bench.machine.bus.writePhysical(place, value, size: size, cpu: bench.cpu)
        case 6: bench.start(n, queue: UInt16(random.next() % 2), features: random.next() | 1 << 32)
        case 7: bench.settle(cycles: random.next() % 40_000)
        case 8: bench.machine.deliverConsole([UInt8(truncatingIfNeeded: value)])
        case 9: bench.store16(bench.available + random.next() % 64, UInt16(random.next() % 20))
        default: offerChain(bench, n, &random)
        }
    }

    /// Chains that mostly make sense: most requests come to something.
    private func offerChain(_ bench: VirtioBench, _ n: Int, _ random: inout SplitMix64) {
        bench.setHeader(UInt32(random.next() % 14), random.next() % 350)
        let sizes: [UInt32] = [16, 512, 1, 4096, 17]
        var chain: [D] = []
        for place in 0...Int(random.next() % 4) {
            var descriptor = D(address: bench.data, count: sizes[Int(random.next() % 5)])
            descriptor.flags = UInt16(random.next() % 2) * Self.write | Self.next
            descriptor.next = UInt16(place + 1)
            if place == 0 {
                descriptor.address = bench.header
                descriptor.count = 16
                descriptor.flags = Self.next
            }
            if random.next() % 64 == 0 { descriptor.address = random.next() }
            if random.next() % 64 == 0 {
                descriptor.count = UInt32(truncatingIfNeeded: random.next())
            }
            if random.next() % 32 == 0 { descriptor.flags = UInt16(random.next() % 8) }
            chain.append(descriptor)
        }
        chain.append(D(address: bench.status, count: 1, flags: Self.write))
        bench.offer(n, chain, queue: random.next() % 2)
    }
}
