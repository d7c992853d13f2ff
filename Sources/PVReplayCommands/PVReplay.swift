import ArgumentParser
import Replay

/// The program.
public struct PVReplay: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "pvreplay",
        abstract: "Record, replay and compare boots of paravirt kernels on an emulated x86-64.",
        discussion: """
            Examples:
              pvreplay record -o boot.pvt                    record the reference boot
              pvreplay record --guest g.elf -o boot.pvt      your guest under the reference host
              pvreplay replay boot.pvt                       check that it reproduces, to the bit
              pvreplay info boot.pvt --json                  what the trace holds
              pvreplay show boot.pvt --kind hypercall --last 20
              pvreplay diff boot.pvt other.pvt               where two runs part, and how

            Exit codes: 0 done, 10 the machine failed, 11 limit reached, 20 replay diverged,
            21 traces differ, 30 damaged trace, 64 usage, 70 gap or defect in pvreplay, 74 input or
            output failed.
            """,
        version: "pvreplay \(SessionConfiguration.toolVersion)",
        subcommands: [
            RecordCommand.self, ReplayCommand.self, InfoCommand.self, ShowCommand.self,
            DiffCommand.self, CompareCommand.self, DesignsCommand.self, KernelsCommand.self,
        ])

    public init() {}
}
