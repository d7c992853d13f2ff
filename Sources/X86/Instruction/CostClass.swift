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
}
