import Machine
import Testing
import X86

@testable import Replay

/// When a kernel's words on the console count as its panic.
@Suite struct PanicWatchTests {
    static let panic = "[    1.2] Kernel panic - not syncing: VFS: no root\r\n"
    static let end = "[    1.3] ---[ end Kernel panic - not syncing: VFS: no root ]---\r\n"

    /// Two processors in a kernel, the second halted for good.
    static func machine() throws -> Machine {
        let machine = try Machine(MachineConfiguration(memory: 1 << 20, cpus: 2, platform: .pc))
        machine.cpu(1).pointee.activity = Activity.halted
        machine.cpu(1).pointee.rflags &= ~RFLAGS.interruptEnable
        return machine
    }

    static func watch(_ text: String) -> PanicWatch {
        var watch = PanicWatch()
        for byte in text.utf8 { watch.printed(byte, cpu: 0) }
        return watch
    }

    /// Polls until the watch says that it is over, at most a thousand times.
    static func polls(_ watch: inout PanicWatch, _ machine: Machine) -> Int? {
        (1...1000).first { _ in watch.isOver(machine) }
    }

    @Test func aPanicThatIsToldToItsEndIsOver() throws {
        var watch = Self.watch("/ # " + Self.panic + "Call Trace:\r\n" + Self.end)
        #expect(watch.reason == "VFS: no root")
        #expect(Self.polls(&watch, try Self.machine()) == PanicWatch.quietPolls)
        #expect(watch.hasEnded)
    }

    @Test func untilItsEndItMayReset() throws {
        var watch = Self.watch(Self.panic)
        #expect(Self.polls(&watch, try Self.machine()) == nil)
        #expect(watch.reason == "VFS: no root")
    }

    @Test func wordsOfAProgramDoNotCount() throws {
        let machine = try Self.machine()
        // dmesg goes on: on the processor that printed, on the other, or until the next poll.
        for cpu in [UInt8(0), 1] {
            var watch = Self.watch(Self.panic + Self.end)
            watch.userRan(cpu: cpu)
            #expect(watch.reason == nil)
            #expect(Self.polls(&watch, machine) == nil)
        }
        var watch = Self.watch(Self.panic + Self.end)
        machine.cpu(0).pointee.cpl = 3
        #expect(Self.polls(&watch, machine) == nil)
        #expect(watch.reason == nil)
        // Before the end of a panic the other processors may still be running programs.
        watch = Self.watch(Self.panic)
        watch.userRan(cpu: 1)
        #expect(watch.reason == "VFS: no root")
    }

    @Test func aKernelThatWaitsHasNotPanicked() throws {
        let machine = try Self.machine()
        machine.cpu(1).pointee.rflags |= RFLAGS.interruptEnable
        var watch = Self.watch(Self.panic + Self.end)
        #expect(Self.polls(&watch, machine) == nil)
        #expect(watch.reason == nil)
    }

    @Test func otherTextIsNothing() throws {
        var watch = Self.watch("not a panic\n" + Self.end + String(repeating: "x", count: 5000))
        #expect(watch.reason == nil)
        #expect(Self.polls(&watch, try Self.machine()) == nil)
    }
}
