import ArgumentParser
import Kernels
import Machine
import Replay
import Trace

/// Turns typed errors into one line on standard error that says what to do next, and an exit code.
enum Failures {
    static func reported(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as FileError {
            Output.error(error.description)
            throw ExitStatus.inputOutput
        } catch let error as Refusal {
            Output.error(error.description)
            throw ExitStatus.usage
        } catch let error as ImageBuildError {
            Output.error(error.description)
            throw status(error)
        } catch let error as CostOption.Refusal {
            Output.error(error.description)
            throw ExitStatus.usage
        } catch let error as ReplayError {
            Output.error(describe(error))
            throw status(error)
        } catch let error as TraceError {
            Output.error(describe(error))
            throw status(.trace(error))
        }
    }

    /// For what is made of a trace and nothing else: where no machine can be made of it, or its
    /// inputs are for another, the trace is at fault and not who asked.
    static func ofTrace<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as ReplayError {
            switch error {
            case .machine(.outOfMemory): throw error
            case .machine, .note, .noSuchCPU:
                throw TraceError.malformed(
                    offset: 0, what: "a description of what cannot run: \(describe(error))")
            default: throw error
            }
        }
    }

    /// A compiler that is missing is a missing file; one that refuses our sources is our defect.
    static func status(_ error: ImageBuildError) -> ExitCode {
        switch error {
        case .toolMissing, .file: ExitStatus.inputOutput
        case .failed: ExitStatus.defect
        }
    }

    static func status(_ error: ReplayError) -> ExitCode {
        switch error {
        case .machine(.outOfMemory): ExitStatus.inputOutput
        case .machine, .note, .noSuchCPU: ExitStatus.usage
        case .trace(let error): error.isSystem ? ExitStatus.inputOutput : ExitStatus.badTrace
        case .metadata: ExitStatus.badTrace
        case .notReproduced: ExitStatus.diverged
        case .diskChanged: ExitStatus.inputOutput
        }
    }

    static func describe(_ error: ReplayError) -> String {
        switch error {
        case .machine(let error): describe(error)
        case .note(let error): "\(error)"
        case .trace(let error): describe(error)
        case .metadata(let key, let value?):
            "the trace's metadata say \(key) = '\(value)', which makes no sense here; "
                + "was it written by a newer pvreplay?"
        case .metadata(let key, nil): "the trace's metadata lack '\(key)'"
        case .notReproduced:
            "the trace does not come out as recorded here; `pvreplay replay` says where it parts"
        case .diskChanged(let disk):
            "the file of disk \(disk) changed while the guest was reading it, or cannot be read "
                + "any more; what was recorded until then is kept and readable"
        case .noSuchCPU(let cpu): "there is no CPU \(cpu) in this machine"
        }
    }

    static func describe(_ error: MachineError) -> String {
        switch error {
        case .configuration(let what): what
        case .outOfMemory(let bytes):
            "this computer has no room for \(bytes >> 20) MiB of guest memory; try a smaller "
                + "--memory"
        case .image(let what, let offset):
            "the kernel image cannot be loaded: \(what) (at byte \(offset))"
        case .snapshot(let what, let offset):
            "a checkpoint is damaged: \(what) (at byte \(offset))"
        }
    }

    static func describe(_ error: TraceError) -> String {
        if case .system(_, let number) = error, number == 28 || number == 27 {
            return "\(error); what was recorded until then is kept and readable"
        }
        return "\(error)"
    }
}

/// What was asked for cannot be, as the trace shows.
struct Refusal: Error, CustomStringConvertible {
    var description: String
}
