import Testing
import X86

@testable import Machine

@Suite struct VirtioTransportTests {
    @Test func functionsSayWhatTheyAre() throws {
        let bench = try VirtioBench([Disk(sectors: 9), Disk(sectors: 9)], console: true)
        #expect(bench.configuration(0, 0) == 0x1237_8086)
        #expect(bench.configuration(3, 0) == 0x1001_1AF4)
        #expect(bench.configuration(4, 8) == 0x0100_0000)
        #expect(bench.configuration(5, 0) == 0x1003_1AF4)
        #expect(bench.configuration(5, 8) == 0x0780_0000)
        #expect(bench.configuration(6, 0) == 0xFFFF_FFFF)
        #expect(bench.configuration(3, 0x100, size: 2) == 0x1AF4)
        #expect(bench.configuration(3, 2, size: 2) == 0x1001)
        #expect((3...5).map { bench.configuration($0, 0x3C, size: 1) } == [11, 11, 10])
        var types: [UInt32] = []
        var at = bench.configuration(3, 0x34) & 0xFF
        while at != 0 {
            let word = bench.configuration(3, at)
            types.append(word & 0xFF == 9 ? word >> 24 : 0x100 | word & 0xFF)
            at = word >> 8 & 0xFF
        }
        #expect(types == [1, 3, 4, 2, 5, 0x111])
    }

    @Test func barsAreSizedMovedAndSwitchedOff() throws {
        let bench = try VirtioBench()
        for (bar, size) in [(UInt32(0x10), UInt32(0x80)), (0x14, 0x1000), (0x20, 0x4000)] {
            let old = bench.configuration(3, bar)
            bench.setConfiguration(3, bar, 0xFFFF_FFFF)
            #expect(bench.configuration(3, bar) & ~0xF == ~(size - 1) & ~0xF)
            bench.setConfiguration(3, bar, old)
        }
        #expect(bench.configuration(3, 0x18) == 0)
        #expect(bench.read(0, 0x12, size: 2) == 1)
        bench.setConfiguration(3, 0x20, 0xD000_0000)
        #expect(bench.read(0, 0x12, size: 2) == 0xFFFF)
        let moved = bench.machine.bus.readPhysical(0xD000_0012, size: 2, cpu: bench.cpu)
        #expect(moved == 1)
        bench.setConfiguration(3, 4, 1, size: 2)
        #expect(
            bench.machine.bus.readPhysical(0xD000_0012, size: 2, cpu: bench.cpu) == 0xFFFF)
        // RAM hides a BAR that is put over it.
        bench.setConfiguration(3, 4, 7, size: 2)
        bench.setConfiguration(3, 0x20, 0x10_0000)
        #expect(bench.machine.cpu(0).loadPhysical(0x10_0012, size: 2) == 0)
    }

    @Test func theConfigurationWindowReachesTheRegisters() throws {
        let bench = try VirtioBench([Disk(sectors: 0x1234)])
        bench.setConfiguration(3, 0x88, 4, size: 1)
        bench.setConfiguration(3, 0x8C, 0x2000)
        bench.setConfiguration(3, 0x90, 4)
        #expect(bench.configuration(3, 0x94) == 0x1234)
        bench.setConfiguration(3, 0x8C, 0x14)
        bench.setConfiguration(3, 0x90, 1)
        bench.setConfiguration(3, 0x94, 3)
        #expect(bench.deviceStatus(0) == 3)
        for (bar, offset, length) in [
            (UInt32(3), UInt32(0), UInt32(4)), (4, 0x4000, 4), (4, 1, 4), (4, 0, 8), (4, .max, 1),
        ] {
            bench.setConfiguration(3, 0x88, bar, size: 1)
            bench.setConfiguration(3, 0x8C, offset)
            bench.setConfiguration(3, 0x90, length)
            #expect(bench.configuration(3, 0x94) == 0)
            bench.setConfiguration(3, 0x94, 0)
        }
        #expect(bench.deviceStatus(0) == 3)
    }

    @Test func featuresAreOnlyWhatWasOffered() throws {
        let bench = try VirtioBench()
        bench.write(0, 0x14, 3, size: 1)
        bench.write(0, 0x08, 1, size: 4)
        bench.write(0, 0x0C, 3, size: 4)
        bench.write(0, 0x14, 11, size: 1)
        #expect(bench.deviceStatus(0) == 3, "bit 33 is not offered")
        bench.write(0, 0x0C, 0, size: 4)
        bench.write(0, 0x14, 11, size: 1)
        #expect(bench.deviceStatus(0) == 3, "version 1 is a must")
        bench.write(0, 0x0C, 1, size: 4)
        bench.write(0, 0x14, 11, size: 1)
        #expect(bench.deviceStatus(0) == 11)
        bench.write(0, 0x0C, 0, size: 4)
        #expect(bench.read(0, 0x0C, size: 4) == 1, "features are settled")
        bench.write(0, 0x16, 7, size: 2)
        #expect(bench.read(0, 0x18, size: 2) == 0, "there is no such queue")
        bench.write(0, 0x16, 0, size: 2)
        for bad in [UInt64(0), 3, 257, 512] {
            bench.write(0, 0x18, bad, size: 2)
            #expect(bench.read(0, 0x18, size: 2) == 256)
        }
    }

    // MARK: Interrupts

    @Test func thePinIsALevel() throws {
        let bench = try VirtioBench()
        bench.machine.initialiseControllers()
        bench.start(0, features: VirtioBench.plain)
        bench.request(0, 4)
        #expect(bench.configuration(3, 4) & 0x0008_0000 != 0)
        #expect(bench.machine.acknowledge() == 0x2B)
        bench.machine.portOut(0xA0, 0x20)
        bench.machine.portOut(0x20, 0x20)
        #expect(bench.machine.acknowledge() == 0x2B, "the line is still high")
        #expect(bench.read(0, 0x1000, size: 1) == 1)
        #expect(bench.read(0, 0x1000, size: 1) == 0)
        bench.machine.portOut(0xA0, 0x20)
        bench.machine.portOut(0x20, 0x20)
        #expect(bench.machine.acknowledge() == nil)
        bench.setConfiguration(3, 4, 0x407, size: 2)
        bench.request(0, 4)
        #expect(bench.machine.acknowledge() == nil, "the pin is switched off")
        bench.setConfiguration(3, 4, 0x007, size: 2)
        #expect(bench.machine.acknowledge() == 0x2B)
    }

    private func aim(_ bench: VirtioBench, vector: UInt64, at entry: UInt64, mask: UInt64 = 0) {
        let place = bench.messages(0) + entry * 16
        for (offset, value) in [(UInt64(0), 0xFEE0_0000), (4, 0), (8, vector), (12, mask)] {
            bench.machine.bus.writePhysical(place + offset, value, size: 4, cpu: bench.cpu)
        }
    }

    @Test func messagesReachTheLocalAPIC() throws {
        let bench = try VirtioBench()
        bench.machine.apicWrite(0xF0, 0x1FF)
        bench.start(0, features: VirtioBench.plain)
        bench.setConfiguration(3, 0x9A, 0x8000, size: 2)
        #expect(bench.configuration(3, 0x98) >> 16 == 0x8002)
        aim(bench, vector: 0x51, at: 1)
        bench.write(0, 0x1A, 1, size: 2)
        #expect(bench.read(0, 0x1A, size: 2) == 1)
        bench.request(0, 4)
        #expect(bench.machine.acknowledge() == 0x51)
        #expect(bench.read(0, 0x1000, size: 1) == 0, "the ISR is not used with messages")
        bench.machine.apicWrite(0xB0, 0)
        aim(bench, vector: 0x52, at: 1, mask: 1)
        bench.request(0, 4)
        #expect(bench.machine.acknowledge() == nil)
        let pending = bench.machine.bus.readPhysical(
            bench.messages(0) + 0x800, size: 4, cpu: bench.cpu)
        #expect(pending == 2)
        aim(bench, vector: 0x52, at: 1)
        #expect(bench.machine.acknowledge() == 0x52)
        bench.write(0, 0x1A, 9, size: 2)
        #expect(bench.read(0, 0x1A, size: 2) == 0xFFFF, "there is no such entry")
        bench.machine.apicWrite(0xB0, 0)
        bench.request(0, 4)
        #expect(bench.machine.acknowledge() == nil)
        bench.write(0, 0x1A, 1, size: 2)
        bench.setConfiguration(3, 4, 3, size: 2)
        #expect(bench.request(0, 4) == nil, "not a bus master")
    }

    @Test func messagesGoWhereTheySay() throws {
        let bench = try VirtioBench(cpus: 3)
        for n in 0..<3 { bench.machine.apicWrite(0xF0, 0x1FF, cpu: n) }
        let bus = bench.machine.bus
        bus.sendMessage(0xFEE0_2000, 0x61, at: 0, by: nil)
        #expect((0..<3).map { bench.machine.acknowledge(cpu: $0) } == [nil, nil, 0x61])
        bench.machine.apicWrite(0xB0, 0, cpu: 2)
        bus.sendMessage(0xFEEF_F000, 0x62, at: 0, by: nil)
        #expect((0..<3).map { bench.machine.acknowledge(cpu: $0) } == [0x62, 0x62, 0x62])
        bus.sendMessage(0xFED0_2000, 0x63, at: 0, by: nil)
        bus.sendMessage(0x1_FEE0_2000, 0x63, at: 0, by: nil)
        #expect((0..<3).map { bench.machine.acknowledge(cpu: $0) } == [nil, nil, nil])
        for n in 0..<3 {
            bench.machine.apicWrite(0xD0, UInt32(1 << (24 + n)), cpu: n)
            bench.machine.apicWrite(0xB0, 0, cpu: n)
        }
        // The logical mode, and a hint: one of those addressed, the least busy.
        bus.sendMessage(0xFEE0_300C, 0x91, at: 0, by: nil)
        #expect((0..<3).map { bench.machine.acknowledge(cpu: $0) } == [0x91, nil, nil])
        bus.sendMessage(0xFEE0_300C, 0x92, at: 0, by: nil)
        #expect((0..<3).map { bench.machine.acknowledge(cpu: $0) } == [nil, 0x92, nil])
        bus.sendMessage(0xFEE0_1000, 0x400, at: 0, by: nil)
        #expect(bench.machine.cpu(1).pointee.attention & Attention.nmi != 0)
    }

    // MARK: The legacy interface

    @Test func legacyDriversFindTheirRegisters() throws {
        let bench = try VirtioBench([Disk(sectors: 0x1_2345)])
        let (bus, port) = (bench.machine.bus, bench.ports(0))
        func out(_ offset: UInt16, _ value: UInt64, _ size: Int) {
            bus.writePort(port + offset, value, size: size, cpu: bench.cpu)
        }
        func read(_ offset: UInt16, _ size: Int) -> UInt64 {
            bus.readPort(port + offset, size: size, cpu: bench.cpu)
        }
        #expect(read(0, 4) & 0x3000_0000 == 0x3000_0000)
        #expect(read(20, 4) == 0x1_2345)
        #expect(read(21, 1) == 0x23)
        bench.setConfiguration(3, 0x9A, 0x8000, size: 2)
        #expect(read(24, 4) == 0x1_2345)
        out(22, 1, 2)
        #expect(read(22, 2) == 1)
        bench.setConfiguration(3, 0x9A, 0, size: 2)
        out(18, 1, 1)
        out(4, 0, 4)
        #expect(read(12, 2) == 256)
        out(14, 1, 2)
        #expect(read(12, 2) == 0)
        out(14, 0, 2)
        out(8, 0x200, 4)
        #expect(read(8, 4) == 0x200)
        // Page 0x200 is at 2 MiB: descriptors, the available ring at 0x1000, the used at 0x2000.
        bench.setHeader(0, 1)
        bench.put(
            [
                .init(address: bench.header, count: 16, flags: VirtioBench.next, next: 1),
                .init(address: bench.data, count: 513, flags: VirtioBench.write),
            ], at: 0x20_0000)
        bench.store16(0x20_1002, 1)
        out(16, 0, 2)
        bench.settle()
        #expect(bench.load16(0x20_2002) == 1, "before any status, and without being a master")
        #expect(bench.dataBytes(512) == bench.pattern(0, 512..<1024))
        #expect(read(19, 1) == 1)
        #expect(read(19, 1) == 0)
        out(8, 0, 4)
        #expect(read(8, 4) == 0)
    }

    // MARK: The console

    @Test func theConsolePrintsAndIsTypedAt() throws {
        let bench = try VirtioBench([], console: true)
        bench.start(0, queue: 1)
        bench.machine.writePhysical(bench.data, Array("to the console".utf8))
        bench.offer(
            0,
            [
                .init(address: bench.data, count: 7, flags: VirtioBench.next, next: 1),
                .init(address: bench.data + 7, count: 7),
            ], queue: 1)
        bench.settle()
        #expect(bench.console.text == "to the console")
        bench.write(0, 0x2008, 0x21, size: 4)
        #expect(bench.console.text.hasSuffix("console!"))
        // Typed bytes wait for room.
        bench.machine.deliverConsole(Array("typed".utf8))
        #expect(bench.machine.consoleBacklog == 5)
        bench.start(0, queue: 0)
        bench.offer(0, [.init(address: bench.data, count: 3, flags: VirtioBench.write)])
        bench.settle()
        #expect(bench.load32(bench.used + 8) == 3)
        #expect(bench.dataBytes(3) == Array("typ".utf8))
        bench.offer(0, head: 0)
        bench.settle()
        #expect(bench.load32(bench.used + 16) == 2)
        #expect(bench.dataBytes(2) == Array("ed".utf8))
        bench.offer(0, head: 0)
        bench.settle()
        #expect(bench.load16(bench.used + 2) == 2, "nothing was typed")
        bench.machine.deliverConsole(Array("x".utf8))
        bench.settle()
        #expect(bench.load16(bench.used + 2) == 3)
    }
}
