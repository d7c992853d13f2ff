import X86

/// The state of a machine at one instruction boundary, encoded: the same state gives the same
/// bytes on every host and from every executor.
public struct MachineSnapshot: Equatable, Sendable {
    /// vCPUs, devices, schedule and pending inputs.
    public var state: [UInt8]
    /// True when `pages` holds every used page; false when only those written since the last mark.
    public var isComplete: Bool
    /// Page numbers, ascending.
    public var pageNumbers: [UInt32]
    /// 4096 bytes for each of `pageNumbers`, in that order.
    public var pages: [UInt8]
    /// What the guest has written to disks, by `DiskPlace`, ascending; selected as pages are.
    public var diskPlaces: [DiskPlace]
    /// 4096 bytes for each of `diskPlaces` that is not zeros, in that order.
    public var diskChunks: [UInt8]

    public init(
        state: [UInt8], isComplete: Bool, pageNumbers: [UInt32], pages: [UInt8],
        diskPlaces: [DiskPlace] = [], diskChunks: [UInt8] = []
    ) {
        self.state = state
        self.isComplete = isComplete
        self.pageNumbers = pageNumbers
        self.pages = pages
        self.diskPlaces = diskPlaces
        self.diskChunks = diskChunks
    }
}

/// Which pages a snapshot holds.
public enum SnapshotPages: Sendable {
    /// Every page ever written: the snapshot stands alone.
    case all
    /// Those written since `Machine.markPages`: it is restored on top of the one taken then.
    case sinceMark
}

/// Saving and restoring. A snapshot may be taken between runs, or by an observer that has just been
/// called; saving changes nothing that the guest or a later digest can see.
extension Machine {
    /// First word of the encoded state: "PVMS" and a format number, which is the edition of the
    /// machine's cost profile.
    private var stateFormat: UInt64 {
        UInt64(configuration.costs.edition.rawValue) << 32 | 0x534D_5650
    }
    /// Set in the first word of state that has at its end what a format by itself cannot say. It is
    /// written only where some of that is not as after reset, so that state which both can say has
    /// one encoding.
    private static let extended: UInt64 = 1 << 48
    /// Set where a vCPU monitors a line.
    private static let monitors: UInt64 = 1 << 49
    /// Set where the test device has been used.
    private static let testDevice: UInt64 = 1 << 50
    /// Set where a turn was interrupted that would not begin again.
    private static let unfinished: UInt64 = 1 << 51

    public func save(_ selection: SnapshotPages = .all) -> MachineSnapshot {
        var numbers: [UInt32] = []
        let flag = selection == .all ? PageFlag.used : PageFlag.dirty
        forEachPage(flagged: flag) { numbers.append($0) }
        var pages: [UInt8] = []
        pages.reserveCapacity(numbers.count * 4096)
        for number in numbers { pages.append(contentsOf: page(number)) }
        var snapshot = MachineSnapshot(
            state: encodedState(), isComplete: selection == .all, pageNumbers: numbers,
            pages: pages)
        bus.forEachDiskChunk(dirtyOnly: selection == .sinceMark) { place, contents in
            snapshot.diskPlaces.append(place)
            guard let contents else { return }
            snapshot.diskChunks.append(
                contentsOf: UnsafeRawBufferPointer(start: contents, count: DiskOverlay.chunkSize))
        }
        return snapshot
    }

    /// Makes now the instant that `.sinceMark` means: the dirty map is cleared, and write tags are
    /// withheld so that the next write to each page is noticed. No translation changes.
    public func markPages() {
        for n in 0..<pageCount { shared.pointee.pageFlags[n] &= ~PageFlag.dirty }
        for cpu in cpus { cpu.withholdAllWrites() }
        for overlay in bus.overlays { overlay.mark() }
    }

    /// Pages written since the last mark.
    public var dirtyPages: [UInt32] {
        var numbers: [UInt32] = []
        forEachPage(flagged: PageFlag.dirty) { numbers.append($0) }
        return numbers
    }

    /// Replaces this machine's state by a snapshot's, which must be of a machine with the same
    /// configuration but for the executor. A complete snapshot replaces all memory; an incremental
    /// one only the pages it holds. Not for observers: nothing may be running. If it throws, the
    /// machine must not be run any more.
    public func restore(_ snapshot: MachineSnapshot) throws(MachineError) {
        try checkPages(snapshot)
        try checkDisks(snapshot)
        var stream = StateStream(reading: snapshot.state)
        try transfer(&stream)
        guard stream.atEnd else { throw stream.damaged("bytes follow the state") }
        if snapshot.isComplete { clearMemory() }
        snapshot.pages.withUnsafeBytes { source in
            for (n, number) in snapshot.pageNumbers.enumerated() {
                (memory.base + Int(number) * 4096).copyMemory(
                    from: source.baseAddress! + n * 4096, byteCount: 4096)
                shared.pointee.pageFlags[Int(number)] = PageFlag.used | PageFlag.dirty
            }
        }
        restoreDisks(snapshot)
        forgetDecodedCode()
        watchMonitoredLines()
        bus.debugExit = nil
        bus.ending = nil
        notExecutable = nil
    }

    /// The state, but for memory, as bytes. A turn that was interrupted is no part of a digest:
    /// older traces have theirs without one.
    func encodedState(withTurn: Bool = true) -> [UInt8] {
        var stream = StateStream()
        do {
            try transfer(&stream, unfinishedTurn: withTurn ? unfinishedTurn : nil)
        } catch {
            preconditionFailure("the machine's own state is impossible: \(error)")
        }
        return stream.bytes
    }

    private func transfer(
        _ stream: inout StateStream, unfinishedTurn: (index: Int, barrier: UInt64)? = nil
    ) throws(MachineError) {
        var format = stateFormat
        if cpus.contains(where: \.hasExtendedState) { format |= Machine.extended }
        if cpus.contains(where: \.isMonitoring) { format |= Machine.monitors }
        if bus.testDevice.isUsed { format |= Machine.testDevice }
        if unfinishedTurn != nil { format |= Machine.unfinished }
        try stream.field(&format)
        let isExtended = format & Machine.extended != 0
        let known =
            Machine.extended | Machine.monitors | Machine.testDevice | Machine.unfinished
        guard format & ~known == stateFormat else {
            throw stream.damaged("this is not a machine's state, or of another format")
        }
        try stream.expect(configuration.memory, "it is of a machine with other memory")
        try stream.expect(UInt64(cpus.count), "it is of a machine with another number of vCPUs")
        try stream.expect(
            UInt64(configuration.vendor.rawValue) | UInt64(configuration.platform.rawValue) << 8,
            "it is of another vendor's machine, or of another platform")
        try stream.expect(pollInterval, "it is of a machine that polls at another interval")
        let counts = configuration.costs.edition != .first
        let classes = counts ? CostClass.allCases.count : CostClass.firstEditionCount
        for cost in configuration.costs.cycles.prefix(classes) {
            var found = cost
            try stream.field(&found)
            guard found == cost else { throw stream.damaged("it is of another cost profile") }
        }
        for cpu in cpus { try cpu.transfer(&stream, counts: counts) }
        try bus.transfer(&stream)
        try stream.field(&nextPoll)
        try stream.field(&lastInstant)
        for cpu in cpus { try cpu.transferExtension(&stream, isPresent: isExtended) }
        for cpu in cpus {
            try cpu.transferMonitor(&stream, isPresent: format & Machine.monitors != 0)
        }
        try bus.testDevice.transfer(&stream, isPresent: format & Machine.testDevice != 0)
        try transferTurn(&stream, unfinishedTurn, isPresent: format & Machine.unfinished != 0)
        guard stream.reading else { return }
        // No instruction runs past a poll by as much as this.
        let reached = cpus.filter(\.isRunnable).map(\.pointee.cycles).min() ?? 0
        let least = reached > 1 << 32 ? reached - (1 << 32) : 1
        guard nextPoll >= least, nextPoll % pollInterval == 0 else {
            throw stream.damaged("the next poll is at an impossible instant")
        }
    }

    private func transferTurn(
        _ stream: inout StateStream, _ unfinished: (index: Int, barrier: UInt64)?, isPresent: Bool
    ) throws(MachineError) {
        if stream.reading { turn = nil }
        guard isPresent else { return }
        var index = UInt8(truncatingIfNeeded: unfinished?.index ?? 0)
        var barrier = unfinished?.barrier ?? 0
        try stream.field(&index)
        try stream.field(&barrier)
        guard stream.reading else { return }
        guard Int(index) < cpus.count else {
            throw stream.damaged("a turn of a vCPU that is not there")
        }
        turn = Int(index)
        cpus[Int(index)].pointee.turnBarrier = barrier
    }

    private func checkPages(_ snapshot: MachineSnapshot) throws(MachineError) {
        guard snapshot.pages.count == snapshot.pageNumbers.count * 4096 else {
            throw .snapshot("its pages are not 4096 bytes each", offset: 0)
        }
        var least = 0
        for (n, number) in snapshot.pageNumbers.enumerated() {
            guard Int(number) >= least, Int(number) < pageCount else {
                throw .snapshot("page numbers are out of order or outside memory", offset: n)
            }
            least = Int(number) + 1
        }
    }

    private func clearMemory() {
        forEachPage(flagged: PageFlag.used) { number in
            (memory.base + Int(number) * 4096).initializeMemory(
                as: UInt8.self, repeating: 0, count: 4096)
            shared.pointee.pageFlags[Int(number)] = 0
        }
    }

    /// Decoded code is a cache of memory, which has just been replaced.
    private func forgetDecodedCode() {
        shared.forgetDecodedCode()
        shared.forgetDecodedCode()
        for n in 0..<pageCount { shared.pointee.pageFlags[n] &= ~PageFlag.code }
    }

    var pageCount: Int { Int(configuration.memory >> 12) }

    func page(_ number: UInt32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: memory.base + Int(number) * 4096, count: 4096)
    }

    /// Calls `body` with the number of each page that has the flag, ascending.
    func forEachPage(flagged flag: UInt8, _ body: (UInt32) -> Void) {
        let flags = shared.pointee.pageFlags
        for n in 0..<pageCount where flags[n] & flag != 0 { body(UInt32(n)) }
    }
}
