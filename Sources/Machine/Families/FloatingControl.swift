import X86

/// The control half of x87 and SSE: FNINIT, FNCLEX, FLDCW, FNSTCW, FNSTSW, FWAIT, EMMS, LDMXCSR and
/// STMXCSR (Intel SDM vol. 1, 8.1 and 10.2.3; vol. 2).
extension CPU {
    private static var errorSummary: UInt16 { 1 << 7 }
    private static var busy: UInt16 { 1 << 15 }

    /// #NM with CR0.EM or CR0.TS set.
    func requireX87() throws(Fault) {
        if pointee.cr0 & (CR0.em | CR0.ts) != 0 { throw .deviceNotAvailable }
    }

    /// #MF when an unmasked exception is pending: every waiting instruction asks first.
    func checkX87Exception() throws(Fault) {
        if vectorState.pointee.statusWord & Self.errorSummary != 0 { try meetNumericError() }
    }

    /// ES and B follow the exceptions that are pending and not masked.
    func summariseX87Exceptions() {
        let state = vectorState
        let open = state.pointee.statusWord & ~state.pointee.controlWord & 0x3F
        let summary = Self.errorSummary | Self.busy
        state.pointee.statusWord = (state.pointee.statusWord & ~summary) | (open != 0 ? summary : 0)
        if open == 0 { numericErrorsCleared() }
    }

    /// FNINIT.
    func executeInitialiseX87() throws(Fault) {
        try requireX87()
        vectorState.pointee.initialiseX87()
        numericErrorsCleared()
    }

    /// FNCLEX.
    func executeClearX87Exceptions() throws(Fault) {
        try requireX87()
        vectorState.pointee.statusWord &= 0x7F00
        numericErrorsCleared()
    }

    /// FNOP; and the 8087's and 80287's relics FNENI, FNDISI and FNSETPM, which do not wait.
    func executeX87Nothing(_ i: borrowing Instruction) throws(Fault) {
        try requireX87()
        if i.modRM < 0xE0 { try checkX87Exception() }
    }

    /// FLDCW: bits 6, 7 and 13...15 are fixed, bit 6 as one.
    func executeLoadX87Control(_ i: borrowing Instruction) throws(Fault) {
        try requireX87()
        try checkX87Exception()
        let v = try readOperand(i, i.operands.0)
        vectorState.pointee.controlWord = UInt16(truncatingIfNeeded: v) & 0x1F3F | 0x40
        summariseX87Exceptions()
    }

    /// FNSTCW.
    func executeStoreX87Control(_ i: borrowing Instruction) throws(Fault) {
        try requireX87()
        try writeOperand(i, i.operands.0, UInt64(vectorState.pointee.controlWord))
    }

    /// FNSTSW.
    func executeStoreX87Status(_ i: borrowing Instruction) throws(Fault) {
        try requireX87()
        try writeOperand(i, i.operands.0, UInt64(vectorState.pointee.statusWord))
    }

    /// FWAIT: #NM with CR0.MP and CR0.TS both set, #MF when an exception is pending.
    func executeWaitX87() throws(Fault) {
        let both = CR0.mp | CR0.ts
        if pointee.cr0 & both == both { throw .deviceNotAvailable }
        try checkX87Exception()
    }

    /// EMMS: all x87 registers become empty.
    func executeEmptyMMX() throws(Fault) {
        try requireMMX()
        vectorState.pointee.tagWord = 0xFFFF
    }

    /// LDMXCSR: #GP(0) for a reserved bit.
    func executeLoadMXCSR(_ i: borrowing Instruction) throws(Fault) {
        try requireSSE()
        let v = UInt32(truncatingIfNeeded: try readOperand(i, i.operands.0))
        if v & ~VectorState.mxcsrMask != 0 { throw .generalProtection(0) }
        vectorState.pointee.mxcsr = v
    }

    func executeStoreMXCSR(_ i: borrowing Instruction) throws(Fault) {
        try requireSSE()
        try writeOperand(i, i.operands.0, UInt64(vectorState.pointee.mxcsr))
    }
}
