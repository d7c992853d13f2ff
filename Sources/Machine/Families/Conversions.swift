import X86

/// CBW, CWD and their wider forms, LAHF, SAHF and SALC (Intel SDM vol. 2).
extension CPU {
    /// CBW, CWDE and CDQE: the accumulator's lower half, sign-extended.
    func executeConvertAccumulator(_ i: borrowing Instruction) {
        let size = Int(i.operandSize)
        let v = ALU.signExtend(pointee.rax & sizeMask(size / 2), size / 2)
        writeRegister(0, v, size: size)
    }

    /// CWD, CDQ and CQO: rDX := the accumulator's sign.
    func executeSpreadSign(_ i: borrowing Instruction) {
        let size = Int(i.operandSize)
        writeRegister(2, 0 &- ALU.sign(pointee.rax & sizeMask(size), size), size: size)
    }

    /// LAHF: AH := SF ZF 0 AF 0 PF 1 CF.
    func executeLoadFlagsToAH() {
        let v = (pointee.rflags & 0xD5) | RFLAGS.fixedOne
        pointee.rax = (pointee.rax & ~0xFF00) | (v &<< 8)
    }

    func executeStoreAHToFlags() {
        setFlags(pointee.rax &>> 8, in: 0xD5)
    }

    /// SALC (undocumented, not in 64-bit mode): AL := CF ? FF : 0.
    func executeSetALFromCarry() {
        writeRegister(0, 0 &- carry, size: 1)
    }
}
