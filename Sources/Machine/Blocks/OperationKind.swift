/// What an operation does: a table of names. The suffix says where its operands are: R register, I
/// immediate, M memory, destination first, C the CL register; the number is the width in bits. All
/// 256 values exist, so that a switch over them needs no range check.
enum OperationKind: UInt8 {
    /// Control of the block itself: not instructions.
    case next, stale
    /// Executed by the instruction families: inside a block, as its last operation, and by
    /// the single-step executor.
    case single, singleLast, step
    /// MOV.
    case movRR8, movRR16, movRR32, movRR64, movRI8, movRI16, movRI64, movRM8, movRM16, movRM32,
        movRM64, movMR8, movMR16, movMR32, movMR64, movMI8, movMI16, movMI32, movMI64
    /// MOVZX and MOVSX (MOVSXD): the number pairs are source and destination widths.
    case movzxR8, movzxR16, movzxM8, movzxM16, movsxR8to32, movsxR8to64, movsxR16to32,
        movsxR16to64, movsxR32to64, movsxM8to32, movsxM8to64, movsxM16to32, movsxM16to64,
        movsxM32to64
    /// LEA.
    case lea32, lea64, leaBase64
    /// The eight operations of the 00...3F rows: register, register.
    case addRR32, orRR32, adcRR32, sbbRR32, andRR32, subRR32, xorRR32, cmpRR32, addRR64, orRR64,
        adcRR64, sbbRR64, andRR64, subRR64, xorRR64, cmpRR64
    /// The eight operations of the 00...3F rows: register, immediate.
    case addRI32, orRI32, adcRI32, sbbRI32, andRI32, subRI32, xorRI32, cmpRI32, addRI64, orRI64,
        adcRI64, sbbRI64, andRI64, subRI64, xorRI64, cmpRI64
    /// The eight operations of the 00...3F rows: register, memory.
    case addRM32, orRM32, adcRM32, sbbRM32, andRM32, subRM32, xorRM32, cmpRM32, addRM64, orRM64,
        adcRM64, sbbRM64, andRM64, subRM64, xorRM64, cmpRM64
    /// The eight operations of the 00...3F rows: memory, register.
    case addMR32, orMR32, adcMR32, sbbMR32, andMR32, subMR32, xorMR32, cmpMR32, addMR64, orMR64,
        adcMR64, sbbMR64, andMR64, subMR64, xorMR64, cmpMR64
    /// The eight operations of the 00...3F rows: memory, immediate.
    case addMI32, orMI32, adcMI32, sbbMI32, andMI32, subMI32, xorMI32, cmpMI32, addMI64, orMI64,
        adcMI64, sbbMI64, andMI64, subMI64, xorMI64, cmpMI64
    /// The same, 8 and 16 bits wide; `sub` is the operation's number in that row.
    case aluRR8, aluRI8, aluRM8, aluMR8, aluMI8, aluRR16, aluRI16, aluRM16, aluMR16, aluMI16
    /// The most common of those by themselves.
    case cmpRR8, cmpRI8, cmpRM8, cmpMR8, cmpMI8, cmpMR16, cmpMI16
    /// TEST.
    case testRR8, testRI8, testMR8, testMI8, testRR32, testRI32, testMR32, testMI32, testRR64,
        testRI64, testMR64, testMI64
    /// INC, DEC, NEG, NOT.
    case incR32, incR64, decR32, decR64, negR32, negR64, notR32, notR64, incM32, incM64, decM32,
        decM64
    /// Shifts and rotates by an immediate that is not zero, and by CL.
    case shlRI32, shlRI64, shrRI32, shrRI64, sarRI32, sarRI64, rolRI32, rolRI64, rorRI32, rorRI64,
        shlRC32, shlRC64, shrRC32, shrRC64, sarRC32, sarRC64
    /// IMUL with two and three operands, MUL and IMUL with one.
    case imulRR32, imulRR64, imulRM32, imulRM64, imulRRI32, imulRRI64, imulRMI32, imulRMI64,
        mulR32, mulR64
    /// Exchanges and widenings.
    case xchgRR32, xchgRR64, bswap32, bswap64, cdqe, cwde, cqo, cdq
    /// SETcc and CMOVcc; `sub` is the condition.
    case setR, setM, cmovRR32, cmovRR64, cmovRM32, cmovRM64
    /// BT of a register by an immediate or a register.
    case btRI32, btRI64, btRR32, btRR64
    /// Stack.
    case pushR, pushI, pushM, popR, leave
    /// Jcc, by condition number.
    case jo, jno, jb, jae, je, jne, jbe, ja, js, jns, jp, jnp, jl, jge, jle, jg
    /// Other transfers.
    case jmp, jmpR, jmpM, call, callR, callM, ret, retI
    /// Nothing.
    case nop
    /// A native loop: the whole block.
    case native
    /// Not used.
    case spare0, spare1, spare2, spare3, spare4, spare5, spare6, spare7, spare8, spare9, spare10,
        spare11, spare12, spare13, spare14, spare15, spare16, spare17, spare18
}
