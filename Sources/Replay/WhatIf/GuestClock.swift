import Machine
import Trace

/// Something that came to a machine from outside its guests, with the instant at which their world
/// had it.
struct Arrival {
    enum Kind {
        /// The local APIC timer of the vCPU expired; the instant is that at which the interrupt was
        /// delivered, as interrupts wait where the host has them off.
        case tick
        case input(Input)
    }

    var position: GuestPosition
    /// Machine cycle at which it came in the recorded run.
    var cycle: UInt64
    var kind: Kind
    /// Whether the host had it while it dealt with a guest, before it gave back: what it then tells
    /// the guest on the way out depends on that.
    var isWithinStay = false
}

/// Gives a run its ticks and inputs: it notes when they come, or decides it.
protocol GuestClock: TimeGovernor, InputSource {
    /// A vCPU has just entered or left its host.
    func moved(_ cpu: CPU, _ observer: GuestObserver, _ machine: Machine)
    /// A guest has just been given back to on a vCPU.
    func departed(_ cpu: CPU, _ departure: Departure, _ observer: GuestObserver)
    /// An interrupt is being delivered to a vCPU, whose position is that before it.
    func interrupted(_ cpu: CPU, vector: UInt8, _ machine: Machine)
    /// The guests' worlds are not the same any more: time is the machine's own from here on.
    func parted()
}

/// The clock of a recorded run that is made again: everything comes at its recorded cycle, and the
/// clock notes where the guests were.
final class NotingClock: GuestClock {
    /// By vCPU, in order.
    private(set) var ticks: [[Arrival]]
    private(set) var inputs: [[Arrival]]
    weak var observer: GuestObserver?
    private var console: [Input] = []
    private var consoleNext = 0
    /// Injections by vCPU, in order: alarms note their positions.
    private var injections: [[Input]]
    /// By vCPU: the cycle of an expiry whose interrupt has not been delivered.
    private var expiries: [UInt64?]
    /// By vCPU: how many of its last ticks came to the host since it took over from a guest.
    private var unresolved: [Int]

    /// Schedules the trace's injections.
    init(_ reader: TraceReader, _ machine: Machine) throws(TraceError) {
        let count = machine.cpuCount
        ticks = Array(repeating: [], count: count)
        inputs = Array(repeating: [], count: count)
        injections = Array(repeating: [], count: count)
        expiries = Array(repeating: nil, count: count)
        unresolved = Array(repeating: 0, count: count)
        let cursor = reader.cursor()
        while let kind = try cursor.next() {
            guard kind == .input else { continue }
            let input = cursor.input
            if input.kind == .console {
                console.append(input)
            } else if Int(input.cpu) < count {
                let cpu = Int(input.cpu)
                machine.schedule(input.stimulus, cpu: cpu, at: .cycle(input.cycle))
                injections[cpu].append(input)
            }
        }
        for cpu in 0..<count { setAlarm(cpu, machine) }
    }

    private func setAlarm(_ cpu: Int, _ machine: Machine) {
        guard let next = injections[cpu].first else { return }
        machine.setAlarm(cpu: cpu, instructions: next.instruction)
    }

    func timerExpires(cpu: Int, at cycle: UInt64, machine: Machine) -> Bool {
        expiries[cpu] = cycle
        return true
    }

    func interrupted(_ cpu: CPU, vector: UInt8, _ machine: Machine) {
        let index = Int(cpu.pointee.index)
        guard let cycle = expiries[index], vector == machine.timerVector(cpu: index) else { return }
        expiries[index] = nil
        note(.tick, index, cycle, machine)
        guard let observer, !observer.isInGuest(cpu) else { return }
        unresolved[index] += 1
        ticks[index][ticks[index].count - 1].isWithinStay = observer.isHandlingGuest(cpu)
    }

    /// A tick that came while the host was about to reflect an exception comes, for the guest,
    /// after the exception: virtual interrupts are off then. In another run the guest may be the
    /// one to be interrupted, and then it must not be before the exception.
    func departed(_ cpu: CPU, _ departure: Departure, _ observer: GuestObserver) {
        let index = Int(cpu.pointee.index)
        let count = unresolved[index]
        unresolved[index] = 0
        guard departure == .exception else { return }
        let now = observer.position(cpu)
        for n in ticks[index].indices.suffix(count)
        where ticks[index][n].position.items + 1 == now.items {
            ticks[index][n].position = now
            ticks[index][n].isWithinStay = false
        }
    }

    func alarm(cpu: Int, machine: Machine) {
        while let input = injections[cpu].first,
            input.instruction <= machine.cpu(cpu).pointee.instructions
        {
            injections[cpu].removeFirst()
            note(.input(input), cpu, input.cycle, machine)
        }
        setAlarm(cpu, machine)
    }

    func idle(machine: Machine) -> Bool { false }

    func poll(at cycle: UInt64, machine: Machine) -> [UInt8] {
        var bytes: [UInt8] = []
        while consoleNext < console.count, console[consoleNext].cycle <= cycle {
            note(.input(console[consoleNext]), 0, cycle, machine)
            bytes += console[consoleNext].bytes
            consoleNext += 1
        }
        return bytes
    }

    private func note(_ kind: Arrival.Kind, _ cpu: Int, _ cycle: UInt64, _ machine: Machine) {
        guard let observer else { return }
        let arrival = Arrival(
            position: observer.position(machine.cpu(cpu)), cycle: cycle, kind: kind)
        if case .tick = kind { ticks[cpu].append(arrival) } else { inputs[cpu].append(arrival) }
    }

    func moved(_ cpu: CPU, _ observer: GuestObserver, _ machine: Machine) {}
    func parted() {}
}

/// The clock of a run under another design, profile or image. The n-th tick of a vCPU and the n-th
/// input come when the guests have come as far as they had in the recorded run: held back while
/// they have not, brought forward when they are about to go on beyond it, and at the timer's own
/// cycle where they stand exactly there, waiting. So guests see the same world, and only the
/// host's way through it differs.
///
/// Where that cannot be kept up (a guest waits for a tick that its past does not lead to) the tick
/// comes at once and is counted in `outOfStep`.
final class GoverningClock: GuestClock {
    private let ticks: [[Arrival]]
    private let inputs: [[Arrival]]
    private var nextTick: [Int]
    private var nextInput: [Int]
    weak var observer: GuestObserver?
    private(set) var outOfStep = 0
    private var isFree = false
    /// By vCPU: since which cycle an expiry is held back.
    private var heldSince: [UInt64]
    /// How long an expiry may be held back: far longer than a host keeps a guest waiting.
    private static let patience: UInt64 = 1 << 32

    init(ticks: [[Arrival]], inputs: [[Arrival]]) {
        self.ticks = ticks
        self.inputs = inputs
        nextTick = Array(repeating: 0, count: ticks.count)
        nextInput = Array(repeating: 0, count: ticks.count)
        heldSince = Array(repeating: 0, count: ticks.count)
    }

    func parted() { isFree = true }
    func departed(_ cpu: CPU, _ departure: Departure, _ observer: GuestObserver) {}
    func interrupted(_ cpu: CPU, vector: UInt8, _ machine: Machine) {}

    private func tick(_ cpu: Int) -> Arrival? {
        nextTick[cpu] < ticks[cpu].count ? ticks[cpu][nextTick[cpu]] : nil
    }

    private func input(_ cpu: Int) -> Arrival? {
        nextInput[cpu] < inputs[cpu].count ? inputs[cpu][nextInput[cpu]] : nil
    }

    // MARK: The machine's questions

    func timerExpires(cpu: Int, at cycle: UInt64, machine: Machine) -> Bool {
        guard !isFree, let next = tick(cpu), let observer else { return true }
        if observer.position(machine.cpu(cpu)) >= next.position {
            nextTick[cpu] += 1
            return true
        }
        if !machine.isTimerHeld(cpu: cpu) { heldSince[cpu] = cycle }
        return false
    }

    /// A guest is about to go on beyond the next arrival.
    func alarm(cpu: Int, machine: Machine) {
        guard let observer else { return }
        let state = machine.cpu(cpu)
        if isFree {
            release(cpu, machine)
        } else if !observer.isInGuest(state) {
            if isDueWithinStay(state, observer) { expire(cpu, machine) }
        } else {
            let position = observer.position(state)
            while let next = input(cpu), next.position <= position { deliver(cpu, machine) }
            guard let next = tick(cpu), next.position <= position else {
                setAlarm(state, observer, machine)
                return
            }
            expire(cpu, machine)
        }
    }

    /// A tick at an alarm. Its interrupt takes the vCPU into its host at once, or as soon as the
    /// host lets it. A second tick of the same instant has its turn after that: it would merge with
    /// one that still waits.
    private func expire(_ cpu: Int, _ machine: Machine) {
        if machine.isTimerInterruptPending(cpu: cpu) { return }
        nextTick[cpu] += 1
        if !machine.expireTimer(cpu: cpu) { outOfStep += 1 }
    }

    private func isDueWithinStay(_ cpu: CPU, _ observer: GuestObserver) -> Bool {
        guard !isFree, let next = tick(Int(cpu.pointee.index)), next.isWithinStay else {
            return false
        }
        return observer.isHandlingGuest(cpu) && next.position <= observer.position(cpu)
    }

    func moved(_ cpu: CPU, _ observer: GuestObserver, _ machine: Machine) {
        if observer.isInGuest(cpu) {
            setAlarm(cpu, observer, machine)
        } else if isDueWithinStay(cpu, observer) {
            machine.setAlarm(
                cpu: Int(cpu.pointee.index), instructions: cpu.pointee.instructions)
        } else {
            machine.clearAlarm(cpu: Int(cpu.pointee.index))
        }
    }

    private func setAlarm(_ cpu: CPU, _ observer: GuestObserver, _ machine: Machine) {
        let index = Int(cpu.pointee.index)
        if isFree {
            if machine.isTimerHeld(cpu: index) {
                machine.setAlarm(cpu: index, instructions: cpu.pointee.instructions)
            }
            return
        }
        let position = observer.position(cpu)
        var distance = UInt64.max
        for next in [tick(index), input(index)] {
            guard let next, next.position.items <= position.items else { continue }
            let isPast = next.position <= position
            distance = min(distance, isPast ? 0 : next.position.distance - position.distance)
        }
        guard distance != .max else {
            machine.clearAlarm(cpu: index)
            return
        }
        machine.setAlarm(cpu: index, instructions: cpu.pointee.instructions &+ distance)
    }

    // MARK: Waiting

    /// Nothing goes on: an expiry that is held back is what everybody waits for, or an input.
    func idle(machine: Machine) -> Bool {
        for cpu in 0..<ticks.count where machine.isTimerHeld(cpu: cpu) {
            outOfStep += isFree ? 0 : 1
            release(cpu, machine)
            return true
        }
        for cpu in 0..<inputs.count where input(cpu) != nil {
            deliver(cpu, machine)
            return true
        }
        return false
    }

    func poll(at cycle: UInt64, machine: Machine) -> [UInt8] {
        guard let observer else { return [] }
        for cpu in 0..<ticks.count {
            let position = observer.position(machine.cpu(cpu))
            while let next = input(cpu),
                isFree || next.position < position
                    || next.position == position && next.cycle <= cycle
            { deliver(cpu, machine) }
            guard machine.isTimerHeld(cpu: cpu) else { continue }
            let isWaiting = machine.cpu(cpu).isWaiting
            if isWaiting || isFree || cycle > heldSince[cpu] &+ Self.patience {
                outOfStep += isFree ? 0 : 1
                release(cpu, machine)
            }
        }
        return []
    }

    private func release(_ cpu: Int, _ machine: Machine) {
        guard machine.isTimerHeld(cpu: cpu) else { return }
        nextTick[cpu] = min(nextTick[cpu] + 1, ticks[cpu].count)
        machine.expireTimer(cpu: cpu)
    }

    private func deliver(_ cpu: Int, _ machine: Machine) {
        guard let next = input(cpu) else { return }
        nextInput[cpu] += 1
        if case .input(let input) = next.kind {
            machine.inject(input.stimulus, cpu: cpu)
        }
    }
}
