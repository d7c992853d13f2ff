import Machine

/// A machine that goes on from a complete snapshot and an incremental one of another, taken where
/// that one was cut.
struct SnapshotCopy {
    private var first: MachineSnapshot?
    private var machine: Machine?

    /// The first call takes the complete snapshot, the second one the incremental one; both are
    /// restored by then into a machine from `make`, which must be equal to the other.
    mutating func take(_ original: Machine, _ make: () throws -> Machine) throws {
        guard machine == nil else { return }
        guard let first else {
            first = original.save()
            original.markPages()
            return
        }
        let copy = try make()
        try copy.restore(first)
        try copy.restore(original.save(.sinceMark))
        guard copy.digest() == original.digest(), copy.save() == original.save() else {
            throw Disagreement(
                description: "restored at cycle \(original.cycles), it is not what was saved")
        }
        machine = copy
    }

    /// Runs the copy to the end, which must be that of `other`.
    func finish(_ limits: RunLimits, _ other: Machine, _ reason: StopReason) throws {
        guard let machine else { return }
        let found = machine.run(limits)
        guard found == reason, machine.digest() == other.digest() else {
            throw Disagreement(
                description:
                    "restored, it ends with \(found) and not \(reason), or in another state"
            )
        }
    }
}
