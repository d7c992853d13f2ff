import Glibc
import Testing

@testable import PVReplayCommands

/// A person's keyboard as the machine's console.
@Suite struct LiveConsoleTests {
    private typealias OnDescriptor = @convention(c) (Int32) -> Int32
    private typealias NameOfDescriptor = @convention(c) (Int32) -> UnsafePointer<CChar>?

    /// A function of the C library that its Swift module does not show.
    private static func function<T>(_ name: String, as type: T.Type) throws -> T {
        unsafeBitCast(try #require(dlsym(nil, name)), to: type)
    }

    /// A terminal: the keyboard's end, and the program's.
    private static func terminal() throws -> (keyboard: Int32, program: Int32) {
        let keyboard = try function("posix_openpt", as: OnDescriptor.self)(O_RDWR | O_NOCTTY)
        #expect(try function("grantpt", as: OnDescriptor.self)(keyboard) == 0)
        #expect(try function("unlockpt", as: OnDescriptor.self)(keyboard) == 0)
        let name = try #require(
            try function("ptsname", as: NameOfDescriptor.self)(keyboard))
        let program = open(name, O_RDWR | O_NOCTTY)
        try #require(program >= 0)
        return (keyboard, program)
    }

    private static func mode(_ descriptor: Int32) -> [tcflag_t] {
        var mode = termios()
        tcgetattr(descriptor, &mode)
        return [mode.c_iflag, mode.c_oflag, mode.c_lflag]
    }

    @Test func everyKeyIsTheMachinesButOne() throws {
        let (keyboard, program) = try Self.terminal()
        defer {
            close(keyboard)
            close(program)
        }
        let before = Self.mode(program)
        var left = 0
        let console = LiveConsole(descriptor: program) { left += 1 }
        // Ctrl-C, Ctrl-Z, Ctrl-S, Ctrl-D, Enter, Ctrl-].
        let keys: [UInt8] = [0x61, 0x03, 0x1A, 0x13, 0x04, 0x0D, 0x1D, 0x62]
        #expect(write(keyboard, keys, keys.count) == keys.count)
        var typed: [UInt8] = []
        for _ in 0..<1000 where typed.count < 7 {
            typed += console.typed(at: 0, machineIdle: true)
        }
        #expect(typed == keys.filter { $0 != LiveConsole.leave })
        #expect(left == 1 && console.isOpen)
        console.restore()
        #expect(Self.mode(program) == before)
    }

    @Test func aPipeIsTakenAsItIs() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let console = LiveConsole(descriptor: ends[0]) { Issue.record("a pipe has no keys") }
        #expect(write(ends[1], [0x1D, 0x0A] as [UInt8], 2) == 2)
        #expect(console.typed(at: 0, machineIdle: true) == [0x1D, 0x0A])
        close(ends[1])
        #expect(console.typed(at: 0, machineIdle: true) == [] && !console.isOpen)
        close(ends[0])
    }
}
