import Foundation
import Kernels
import Testing

/// Guests that break the rules (Hostile/): each attack has its answer, and whatever a guest does
/// the host and its other processes go on.
@Suite(.enabled(if: QEMU.path != nil, "qemu-system-x86_64 is not installed"), .serialized)
struct HostileTests {
    /// The hostile guest's ELF file, built by the images' own script from a copy of their folder.
    static let image = Result<[UInt8], any Error> {
        let files = FileManager.default
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let images = here.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Sources/Kernels/Images")
        let folder = files.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? files.removeItem(at: folder) }
        try files.copyItem(at: images, to: folder)
        try files.copyItem(
            at: here.appending(path: "Hostile"), to: folder.appending(path: "hostile"))
        let output = folder.appending(path: "hostile.elf")
        let built = try buildImage(in: folder, name: "hostile", output: output)
        #expect(built.status == 0, "\(built.output)")
        return [UInt8](try Data(contentsOf: output))
    }

    /// With a clock that counts instructions: a guest that harms itself at random must not come to
    /// hang in one run of a hundred.
    static func boot(_ words: String, design: String = "rfc") throws -> ProcessResult {
        try QEMU.boot(
            "\(words) host.work=20 host.guest-memory=16", design: Design(design),
            guest: image.get(), options: ["-icount", "shift=1,sleep=off"])
    }

    @Test(arguments: [
        ("stack-direct-map", "double fault: cannot store the frame of vector 6"),
        ("stack-text", "double fault: cannot store the frame of vector 6"),
        ("stack-zero", "double fault: cannot store the frame of vector 6"),
        ("stack-shared", "double fault: cannot store the frame of vector 6"),
        ("root-in-hole", "(level 4, slot 258 of root 0x40000) maps into the host's hole"),
        ("reserved-bits", "(level 4, for address 0x8000000000) has reserved bits set"),
        ("fault-loop", "page fault loop: 1000 faults in a row for address 0x30000000"),
        ("nested-task", "the return to it faulted: general protection"),
        ("edge", "it returns to 0x800000000000, which is not canonical"),
        ("early", "hypercall 9 at rip"),
        ("negative-gs", "unknown hypercall 36"),
    ]) func attackKillsTheGuest(name: String, reason: String) throws {
        let result = try Self.boot("attack=\(name)")
        #expect(result.status == QEMU.status(QEMU.guestKilled))
        #expect(result.output.contains("\nguest killed: "))
        #expect(result.output.contains(reason), "\(result.output)")
        #expect(result.output.contains("host: worker 1: 20 rounds, result "))
    }

    /// What guest users may not do is a fault that their own kernel sees, with the virtual CS.
    @Test(arguments: [
        ("user-sets-flag", "trap e\nerror 6\ncs 33\n"),
        ("user-reads-kernel", "trap e\nerror 5\ncs 33\n"),
        ("user-int80", "trap 80\nerror 0\ncs 33\n"),
        ("arguments", "refused 9\n"),
    ]) func attackIsSeenByTheGuest(name: String, text: String) throws {
        let result = try Self.boot("attack=\(name)")
        #expect(result.status == QEMU.status(QEMU.shutdown))
        #expect(result.output.contains(text), "\(result.output)")
    }

    /// What the era's entry code cannot bear and full guards can: NT, and a GS base in the upper
    /// half at a breakpoint. Without either, the host takes the guest's memory for its current task
    /// (H1).
    @Test(arguments: [
        ("hardened", "nested-task", QEMU.shutdown, "returned\n"),
        ("hardened", "negative-gs", QEMU.shutdown, "gs 900d\ntrap 3\nerror 0\ncs 10\n"),
        ("pvm", "nested-task", QEMU.shutdown, "returned\n"),
        ("pvm", "negative-gs", QEMU.shutdown, "gs 900d\ntrap 3\nerror 0\ncs 10\n"),
        ("rfc,guards=open", "negative-gs", QEMU.hostPanic, "gs 900d\nhost panic: page fault"),
    ]) func guardsMatter(design: String, attack: String, exit: Int32, text: String) throws {
        let result = try Self.boot("attack=\(attack)", design: design)
        #expect(result.status == QEMU.status(exit))
        #expect(result.output.contains(text), "\(result.output)")
    }

    /// The launcher's frames lie where the guest's events do (H14): what the launcher's system call
    /// returns to is a register of the guest's.
    @Test(arguments: [
        ("rfc", QEMU.shutdown, "guest 0 shut down"),
        ("rfc,entry-stack=task", QEMU.hostPanic, "for 0x4141414000 in the host kernel at rip 0x41"),
    ]) func aGuestChoosesTheHostsNextInstruction(design: String, exit: Int32, text: String) throws {
        let result = try Self.boot("attack=registers", design: design)
        #expect(result.status == QEMU.status(exit))
        #expect(result.output.contains(text), "\(result.output)")
    }

    /// Thousands of harmful things at random: bad tables, stacks, selectors, flags, hypercalls.
    @Test(arguments: 1...6, ["rfc", "hardened", "pvm"])
    func hostSurvivesAnything(seed: Int, design: String) throws {
        let reference = try QEMU.boot("host.work=20")
        let words = design == "rfc" ? "" : " gs-base"
        let result = try Self.boot("seed=\(seed)\(words)", design: design)
        let ends = [QEMU.shutdown, QEMU.guestKilled, QEMU.guestPanic].map(QEMU.status)
        #expect(ends.contains(result.status), "\(result.output)")
        for line in reference.output.split(separator: "\n")
        where line.hasPrefix("host: worker ") {
            #expect(result.output.contains(line), "a host process noticed")
        }
    }
}
