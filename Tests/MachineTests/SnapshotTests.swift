import SeededRandom
import Testing
import X86

@testable import Machine

@Suite struct SnapshotTests {
    /// A machine in which nothing has its initial value, as far as values can be free.
    private func busyMachine(seed: UInt64 = 1, cpus: Int = 2) throws -> Machine {
        var random = SplitMix64(seed)
        let machine = try makeMachine(cpus: cpus)
        for n in 0..<cpus {
            let cpu = machine.cpu(n)
            for r in 0..<16 { cpu.registers[r] = random.next() }
            cpu.pointee.rip = random.next()
            cpu.pointee.cycles = random.next() >> 34
            cpu.pointee.instructions = random.next() >> 20
            cpu.pointee.cr3 = random.next()
            cpu.pointee.lstar = random.next()
            cpu.pointee.dr2 = random.next()
            cpu.pointee.gs.base = random.next()
            cpu.pointee.gdtr.base = random.next()
            cpu.pointee.pendingDR6 = UInt32(truncatingIfNeeded: random.next())
            cpu.pointee.interruptShadow = 1
            cpu.pointee.attention = Attention.nmi
            cpu.setXMM(3, Vector128(low: random.next(), high: random.next()))
            cpu.flushTLB()
            machine.apicWrite(APICRegister.spurious, 0x1FF, cpu: n)
            machine.apicWrite(APICRegister.timer, 1 << 17 | 0x55, cpu: n)
            machine.apicWrite(APICRegister.initialCount, 12345, cpu: n)
            machine.inject(.interrupt(0x66), cpu: n)
        }
        machine.portOut(0x21, 0xAB)
        machine.portOut(0x3FF, 0xCD)
        machine.deliverConsole(Array("some input that has not been read".utf8))
        machine.schedule(.console([1, 2]), cpu: 0, at: .instruction(1 << 50))
        machine.schedule(.machineCheck, cpu: cpus - 1, at: .cycle(1 << 50))
        for n in 0..<20 {
            let page = random.next() % 1000
            machine.writePhysical(page * 4096 + UInt64(n) * 8, Array(repeating: 5, count: 77))
        }
        return machine
    }

    @Test func aRestoredMachineIsEqual() throws {
        let machine = try busyMachine()
        let digest = machine.digest()
        let snapshot = machine.save()
        #expect(machine.digest() == digest, "saving changes nothing")
        let other = try makeMachine(cpus: 2, executor: .blocks)
        #expect(other.digest() != digest)
        other.writePhysical(0x3F_F000, [1, 2, 3])
        try other.restore(snapshot)
        #expect(other.digest() == digest)
        #expect(other.save() == snapshot)
        #expect(other.cpu(1).pointee.gs.base == machine.cpu(1).pointee.gs.base)
        #expect(other.cpu(1).xmm(3) == machine.cpu(1).xmm(3))
        #expect(other.consoleBacklog == machine.consoleBacklog)
        #expect(
            other.readPhysical(0x3F_F000, count: 3) == machine.readPhysical(0x3F_F000, count: 3))
    }

    @Test func everyPartOfTheStateIsInTheDigest() throws {
        let changes: [(String, (Machine) -> Void)] = [
            ("register", { $0.cpu(1).pointee.r15 ^= 1 }),
            ("cycle", { $0.cpu(0).pointee.cycles += 1 }),
            ("attention", { $0.cpu(0).pointee.attention ^= Attention.debugTrap }),
            ("PDPTE", { $0.cpu(0).pointee.pdpte2 ^= 1 }),
            ("debug register", { $0.cpu(0).pointee.dr7 ^= 1 }),
            ("segment", { $0.cpu(0).pointee.ldtr.attributes ^= 1 }),
            ("vector state", { $0.cpu(1).vectorState.pointee.mxcsr ^= 1 }),
            ("local APIC", { $0.apicWrite(APICRegister.taskPriority, 1) }),
            ("serial port", { $0.portOut(0x3FF, 0x11) }),
            ("interrupt mask", { $0.portOut(0xA1, 0x11) }),
            ("input", { $0.deliverConsole([1]) }),
            ("schedule", { $0.schedule(.nmi, cpu: 0, at: .cycle(1 << 51)) }),
            ("stimulus", { $0.schedule(.nmi, cpu: 0, at: .instruction(1 << 51)) }),
            ("memory", { $0.writePhysical(0x20_0000, [0x77]) }),
            ("used page", { $0.writePhysical(0x3F_E000, [0]) }),
            ("translation", { $0.cpu(0).flushTLB() }),
        ]
        let digest = try busyMachine().digest()
        for (name, change) in changes {
            let machine = try busyMachine()
            #expect(machine.digest() == digest)
            change(machine)
            #expect(machine.digest() != digest, "\(name)")
        }
    }

    @Test func howARunIsDrivenIsNotInTheDigest() throws {
        let machine = try busyMachine()
        let digest = machine.digest()
        machine.cpu(0).pointee.cycleDeadline = 99
        machine.cpu(0).pointee.instructionDeadline = 99
        machine.requestStop()
        machine.markPages()
        #expect(machine.digest() == digest)
    }

    @Test func cachedTranslationsAreRestoredWithoutTheirWriteTags() throws {
        let machine = try makeMachine()
        let cpu = machine.cpu(0)
        machine.writePhysical(0x5000, [1])
        // Paging is off: linear addresses are physical ones.
        try cpu.writeLinear64(0x5008, 42)
        _ = try cpu.readLinear64(0x9000)
        let snapshot = machine.save()
        let other = try makeMachine()
        try other.restore(snapshot)
        let entry = other.cpu(0).dataEntry(0x5008)
        #expect(entry.pointee.readTag == cpu.dataEntry(0x5008).pointee.readTag)
        #expect(entry.pointee.physical == 0x5000 | TLB.writable)
        #expect(entry.pointee.writeTag == TLB.emptyTag)
        #expect(try other.cpu(0).readLinear64(0x5008) == 42)
        try other.cpu(0).writeLinear64(0x5008, 43)
        #expect(entry.pointee.writeTag == entry.pointee.readTag, "granted again by the slow path")
        #expect(other.readPhysical(0x5008, count: 1) == [43])
        #expect(machine.readPhysical(0x5008, count: 1) == [42])
    }

    @Test func anIncrementalSnapshotHoldsWhatWasWritten() throws {
        let machine = try busyMachine()
        let base = machine.save()
        machine.markPages()
        #expect(machine.dirtyPages.isEmpty)
        machine.writePhysical(0x7FFE, [1, 2, 3, 4])
        machine.cpu(0).pointee.rax = 77
        let step = machine.save(.sinceMark)
        #expect(step.pageNumbers == [7, 8])
        #expect(!step.isComplete)
        let other = try makeMachine(cpus: 2)
        try other.restore(base)
        try other.restore(step)
        #expect(other.digest() == machine.digest())
    }

    @Test func aWriteAfterAMarkIsNoticedThroughTheCache() throws {
        let machine = try makeMachine()
        let cpu = machine.cpu(0)
        try cpu.writeLinear64(0x5000, 1)
        try cpu.writeLinear64(0x5000, 2)
        #expect(machine.dirtyPages == [5])
        machine.markPages()
        #expect(machine.dirtyPages == [])
        try cpu.writeLinear64(0x5000, 3)
        #expect(machine.dirtyPages == [5])
    }

    @Test func snapshotsOfOtherMachinesAreRefused() throws {
        let snapshot = try busyMachine().save()
        let costs = CostProfile(name: "unit", uniform: 2)
        let others = [
            try makeMachine(memory: 8 << 20, cpus: 2), try makeMachine(cpus: 1),
            try makeMachine(cpus: 2, vendor: .amd), try makeMachine(cpus: 2, costs: costs),
        ]
        for other in others {
            #expect(throws: MachineError.self) { try other.restore(snapshot) }
        }
    }

    /// Damaged snapshots: an error or a state, never a crash.
    @Test func damagedSnapshotsAreNeverFatal() throws {
        let good = try busyMachine().save()
        let machine = try makeMachine(cpus: 2)
        for length in stride(from: 0, to: good.state.count, by: 7) {
            var bad = good
            bad.state = Array(good.state.prefix(length))
            #expect(throws: MachineError.self) { try machine.restore(bad) }
        }
        var random = SplitMix64(3)
        for _ in 0..<1500 {
            var bad = good
            for _ in 0...random.next() % 3 {
                let place = Int(random.next() % UInt64(bad.state.count))
                bad.state[place] = random.next() & 1 == 0 ? 0xFF : UInt8(random.next() & 0xFF)
            }
            if (try? machine.restore(bad)) != nil { _ = machine.digest() }
        }
        var bad = good
        bad.state.append(0)
        #expect(throws: MachineError.self) { try machine.restore(bad) }
        bad = good
        bad.pages.removeLast()
        #expect(throws: MachineError.self) { try machine.restore(bad) }
        bad = good
        bad.pageNumbers[0] = .max
        #expect(throws: MachineError.self) { try machine.restore(bad) }
        bad = good
        bad.pageNumbers.swapAt(0, 1)
        #expect(throws: MachineError.self) { try machine.restore(bad) }
    }

    @Test func untouchedMemoryIsNeitherHashedNorSaved() throws {
        let machine = try makeMachine(memory: 2 << 30)
        machine.writePhysical(0x7000_0000, [1])
        let snapshot = machine.save()
        #expect(snapshot.pageNumbers == [0x7_0000])
        #expect(snapshot.pages.count == 4096)
    }

    /// The digest is XXH3-64 of exactly the documented bytes.
    @Test func theDigestIsOfTheDocumentedBytes() throws {
        let machine = try busyMachine()
        let snapshot = machine.save()
        var bytes = snapshot.state
        for (n, number) in snapshot.pageNumbers.enumerated() {
            for shift: UInt32 in [0, 8, 16, 24] {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
            bytes += snapshot.pages[n * 4096..<(n + 1) * 4096]
        }
        let hash = StreamingHash()
        bytes.withUnsafeBytes { hash.add($0) }
        #expect(machine.digest() == hash.value)
        let known = StreamingHash()
        #expect(known.value == 0x2D06_8005_38D3_94C2, "XXH3-64 of nothing")
    }
}
