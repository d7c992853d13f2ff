import X86

/// Process-context identifiers (Intel SDM vol. 3, 4.10.1 and 4.10.4.1; vol. 2, INVPCID). The
/// translation cache keeps nothing of a context that is left: a load of CR3 forgets all but global
/// pages even where its bit 63 would allow to keep them, which the manual permits, as a processor
/// may drop what it has cached at any time. A context that is not the current one is therefore
/// always clean.
extension CPU {
    /// Bit 63 of what is loaded into CR3: nothing need be forgotten.
    private static var keepsTranslations: UInt64 { 1 << 63 }
    /// The identifier's bits in CR3.
    static var contextMask: UInt64 { 0xFFF }

    /// The value that a MOV to CR3 with CR4.PCIDE set leaves there.
    @inline(__always)
    func contextRoot(_ value: UInt64) -> UInt64 {
        pointee.cr4 & CR4.pcide != 0 ? value & ~CPU.keepsTranslations : value
    }

    /// INVPCID: type 0 one address of a context, 1 a context, 2 everything, 3 everything but global
    /// pages.
    func executeInvalidateContext(_ i: borrowing Instruction) throws(Fault) {
        if !inProtectedMode && pointee.cr0 & CR0.pe != 0 { throw .generalProtection(0) }
        try requireSupervisor()
        let a = try linearAddress(i, size: 16, write: false)
        let context = try readLinear(a, size: 8)
        let address = try readLinear(advance(a, 8), size: 8)
        let type = readRegister(i.operands.0.register, size: Int(i.operands.0.size))
        // The descriptor's reserved bits count for every type.
        if type > 3 || context > CPU.contextMask { throw .generalProtection(0) }
        if type <= 1 && context != 0 && pointee.cr4 & CR4.pcide == 0 {
            throw .generalProtection(0)
        }
        switch type {
        case 0:
            if !isCanonical(address) { throw .generalProtection(0) }
            let current = pointee.cr4 & CR4.pcide != 0 ? pointee.cr3 & CPU.contextMask : 0
            if context == current { invalidatePage(address) }
            notifyRegister(.invlpg, address)
        case 1, 3: flushLocalTLB()
        default: flushTLB()
        }
    }
}
