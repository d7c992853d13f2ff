/// Classes of operation that a cost profile gives cycles to. A row of the opcode table names one;
/// the classes from `exceptionDelivery` on are charged by the machine, not by a row.
public enum CostClass: UInt8, Sendable, CaseIterable {
    // Ordinary instructions.
    case simple
    case load
    case store
    case readModifyWrite
    case branch
    case call
    case ret
    case multiply
    case divide
    case push
    case pop
    case atomic
    case stringStart
    case stringStep
    case vector
    case x87
    // System instructions.
    case cpuid
    case rdtsc
    case pause
    case fence
    case flagControl
    case pushf
    case popf
    case segmentLoad
    case farTransfer
    case syscall
    case sysret
    case swapgs
    case interruptReturn
    case rdmsr
    case wrmsr
    case tableLoad
    case tableStore
    case taskRegisterLoad
    case readControl
    case writeControl
    case writeCR3
    case invlpg
    case readDebug
    case writeDebug
    case portIO
    case halt
    case stateSave
    case stateRestore
    case cacheControl
    // Events that the machine charges.
    case exceptionDelivery
    case interruptDelivery
    case softwareInterrupt
    // Classes of the second edition, after those of the first so that numbers keep their meaning.
    /// LIDT; `tableLoad` is LGDT.
    case interruptTableLoad
    /// LLDT; `taskRegisterLoad` is LTR.
    case localTableLoad
    /// A translation that was not cached, beside its walk.
    case tlbMiss
    /// One paging-structure entry that a walk reads.
    case pageWalkLevel
    /// A flush of the translation cache, beside the instruction that asks for it and beside the
    /// misses that follow.
    case tlbFlush

    /// How many classes the first edition of cost profiles had: those numbered below this.
    public static let firstEditionCount = Int(softwareInterrupt.rawValue) + 1

    /// Classes that may cost nothing: they are charged on top of an instruction, which costs at
    /// least a cycle itself.
    public var mayBeFree: Bool { rawValue >= CostClass.tlbMiss.rawValue }
}
