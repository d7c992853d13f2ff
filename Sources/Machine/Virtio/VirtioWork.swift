/// When virtio devices do what they are asked: at a fixed time after a notification, one buffer
/// after the other, as events of the schedule. The time is longer than `Machine.quantum`, so that
/// every vCPU has come as far when a device reads or writes memory.
extension Bus {
    private enum Delay {
        /// From a notification to the first buffer's end, in cycles.
        static let block: UInt64 = 10_000
        static let console: UInt64 = 2_000
        /// From one buffer's end to the next one's, and for each byte in between.
        static let buffer: UInt64 = 2_000
    }

    // MARK: Notifications

    /// The driver says that a queue has something for the device.
    func notifyVirtio(_ n: Int, queue: Int, _ cpu: CPU) {
        guard virtio[n].isActive(queue) else { return }
        var delay = Delay.console
        if case .block = virtio[n].kind { delay = Delay.block }
        scheduleVirtio(n, queue, for: Int(cpu.pointee.index), at: cpu.pointee.cycles &+ delay, cpu)
    }

    private func scheduleVirtio(
        _ n: Int, _ queue: Int, for target: Int, at cycle: UInt64, _ running: CPU
    ) {
        guard !virtio[n].queues[queue].isScheduled else { return }
        virtio[n].queues[queue].isScheduled = true
        add(
            .virtio(device: UInt8(n), queue: UInt8(queue)), for: target, at: cycle, by: running)
    }

    /// Status is written: a reset forgets what was under way; a driver that is ready may have
    /// made buffers available before.
    func writeVirtioStatus(_ n: Int, _ value: UInt8, _ cpu: CPU) {
        let wasReady = virtio[n].status & VirtioDevice.Status.driverReady != 0
        if virtio[n].setStatus(value) {
            for queue in virtio[n].queues.indices {
                schedule.remove(.virtio(device: UInt8(n), queue: UInt8(queue)))
            }
        } else if !wasReady && value & VirtioDevice.Status.driverReady != 0 {
            for queue in virtio[n].queues.indices { notifyVirtio(n, queue: queue, cpu) }
        }
        updateVirtioPins(at: cpu.pointee.cycles, by: cpu)
    }

    // MARK: Work

    /// A queue's turn has come: one buffer.
    func workVirtio(_ n: Int, _ queue: Int, on cpu: CPU, at cycle: UInt64) {
        virtio[n].queues[queue].isScheduled = false
        guard virtio[n].isActive(queue) else { return }
        let memory = GuestMemory(cpu)
        do throws(VirtioFault) {
            if let moved = try workOnce(n, queue, memory, cpu, at: cycle),
                try virtio[n].queues[queue].hasAvailable(memory)
            {
                scheduleVirtio(
                    n, queue, for: Int(cpu.pointee.index),
                    at: cycle &+ Delay.buffer &+ moved, cpu)
            } else if virtio[n].usesEventIndex {
                virtio[n].queues[queue].wantNotification(memory)
            }
        } catch {
            send(virtio[n].fail(), n, at: cycle)
        }
        updateVirtioPins(at: cycle, by: nil)
    }

    /// Serves one buffer: how many bytes it moved, or nil where there was none to serve.
    private func workOnce(
        _ n: Int, _ queue: Int, _ memory: GuestMemory, _ cpu: CPU, at cycle: UInt64
    ) throws(VirtioFault) -> UInt64? {
        let indirect = virtio[n].usesIndirect
        if case .console = virtio[n].kind, queue == VirtioConsole.receiveQueue,
            virtio[n].typed.isEmpty
        {
            _ = try virtio[n].queues[queue].hasAvailable(memory)
            return nil
        }
        guard
            let chain = try virtio[n].queues[queue].next(
                memory, indirect: indirect, longest: longestChain)
        else { return nil }
        var result: (written: UInt32, moved: UInt64)
        switch virtio[n].kind {
        case .block(let disk):
            let block = VirtioBlock(
                disk: virtio[n].disk, number: disk, overlay: overlays[disk],
                source: diskSource, memory: memory, discardIsHint: hasEventTimers)
            result = try block.perform(chain)
        case .console where queue == VirtioConsole.receiveQueue:
            result = (typeInto(n, chain, memory), 0)
        case .console:
            result = (0, try printOut(chain, memory, cpu))
        }
        let wanted = virtio[n].queues[queue].give(
            chain, written: result.written, eventIndex: virtio[n].usesEventIndex, memory)
        if wanted { send(virtio[n].signalUsed(queue), n, at: cycle) }
        return result.moved
    }

    private func printOut(
        _ request: VirtioChain, _ memory: GuestMemory, _ cpu: CPU
    ) throws(VirtioFault) -> UInt64 {
        var text = request.readable
        let count = text.remaining
        guard count <= VirtioConsole.maximumText else { throw .size }
        for byte in text.take(Int(count), memory) ?? [] { print(byte, cpu) }
        return count
    }

    private func typeInto(_ n: Int, _ request: VirtioChain, _ memory: GuestMemory) -> UInt32 {
        var room = request.writable
        let count = Int(min(UInt64(virtio[n].typed.count), room.remaining))
        room.fill(Array(virtio[n].typed.prefix(count)), memory)
        virtio[n].typed.removeFirst(count)
        return UInt32(count)
    }

    // MARK: Typed input

    /// The number of the console device, if there is one.
    var virtioConsole: Int? {
        virtio.firstIndex { if case .console = $0.kind { true } else { false } }
    }

    /// Bytes reach the console device: they wait until the driver has room.
    func type(_ bytes: [UInt8], at cycle: UInt64) {
        guard let n = virtioConsole else { return }
        virtio[n].typed += bytes
        guard virtio[n].isActive(VirtioConsole.receiveQueue) else { return }
        scheduleVirtio(n, VirtioConsole.receiveQueue, for: 0, at: cycle &+ Delay.console, cpu(0))
    }

    // MARK: Interrupts

    private func send(_ message: (address: UInt64, data: UInt32)?, _ n: Int, at cycle: UInt64) {
        guard let message, virtio[n].function.isMaster else { return }
        sendMessage(message.address, message.data, at: cycle, by: nil)
    }

    /// Messages that waited for their masks.
    func sendReadyMessages(_ n: Int, _ cpu: CPU) {
        for message in virtio[n].function.messages.takeReady() where virtio[n].function.isMaster {
            sendMessage(message.address, message.data, at: cpu.pointee.cycles, by: cpu)
        }
    }

    /// The interrupt pins, which devices share.
    func updateVirtioPins(at cycle: UInt64, by running: CPU?) {
        for line in [UInt8(10), 11] {
            let level = virtio.contains { $0.line == line && $0.drivesPin }
            setLine(Int(line), level, at: cycle, by: running)
        }
    }
}
