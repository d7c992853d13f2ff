import Machine
import Replay

/// Puts together a diagnosis of a machine that stopped.
public enum MachineDiagnosis {
    public static func text(
        _ end: RunEnd, machine: Machine, history: RunHistory,
        configuration: SessionConfiguration
    ) -> String {
        history.lastEvents.suffix(12).map {
            EventLine.text($0, changes: [], reference: !configuration.design.isEmpty)
        }.joined(separator: "\n")
    }
}
