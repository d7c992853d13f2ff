import X86

/// How a PC hears of x87 errors while CR0.NE is 0 (Intel SDM vol. 1, 8.7.1 and appendix D): the
/// processor stops before the next waiting instruction and raises FERR#, which drives line 13; a
/// write to port 0xF0 lowers the line and raises IGNNE#, with which errors are ignored until they
/// have been cleared.
enum NumericError {
    static let clearPort: UInt16 = 0xF0
    static let line = 13
    /// IGNNE#, kept as the bit of `Bus.lines` that is no line's: pin 2 is the cascade.
    static let ignored: UInt16 = 1 << 2
}

extension Bus {
    var ignoresNumericErrors: Bool { lines & NumericError.ignored != 0 }

    /// Port 0xF0 is written.
    func clearNumericError(at cycle: UInt64, by cpu: CPU) {
        if lines >> UInt16(NumericError.line) & 1 == 0 { return }
        lines |= NumericError.ignored
        setLine(NumericError.line, false, at: cycle, by: cpu)
    }
}

extension CPU {
    /// A waiting instruction finds an error that is not masked: it does not execute unless errors
    /// are ignored.
    @inline(never)
    func meetNumericError() throws(Fault) {
        let shared = pointee.shared
        let isWired = shared.pointee.edition >= .second && pointee.cr0 & CR0.ne == 0
        let mustStop = shared.pointee.bus._withUnsafeGuaranteedRef { bus in
            guard isWired, bus.isPC, !bus.ignoresNumericErrors else { return false }
            bus.setLine(NumericError.line, true, at: pointee.cycles, by: self)
            return true
        }
        if mustStop { throw .frozen }
        let ignores = shared.pointee.bus._withUnsafeGuaranteedRef {
            isWired && $0.isPC && $0.ignoresNumericErrors
        }
        if !ignores { throw Fault(vector: Vector.x87Error) }
    }

    /// No error is left that is not masked.
    @inline(__always)
    func numericErrorsCleared() {
        pointee.shared.pointee.bus._withUnsafeGuaranteedRef { $0.lines &= ~NumericError.ignored }
    }

    /// The processor stops before an instruction until an interrupt comes, and then tries it again.
    func freeze() {
        let from = origin()
        pointee.activity = Activity.halted
        pointee.attention |= Attention.leaveBlock
        notify(.halt, from: from)
        emitPendingEvent()
    }
}
