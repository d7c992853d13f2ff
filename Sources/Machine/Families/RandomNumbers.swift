import X86

/// RDRAND and RDSEED (Intel SDM vol. 2). They always succeed. The n-th number of a vCPU is a
/// function of the machine's seed, the vCPU's index and n, so that a replay draws the same ones:
/// SplitMix64 (Steele, Lea and Flood, 2014), started for each vCPU at a mixed place.
extension CPU {
    private static var step: UInt64 { 0x9E37_79B9_7F4A_7C15 }

    private static func mix(_ v: UInt64) -> UInt64 {
        var z = v
        z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }

    /// CF says that a number was there; the other flags become 0.
    func executeRandom(_ i: borrowing Instruction) throws(Fault) {
        let seed = pointee.shared.pointee.seed
        let start = CPU.mix(seed &+ CPU.step &* (UInt64(pointee.index) &+ 1))
        pointee.randomDraws &+= 1
        let number = CPU.mix(start &+ CPU.step &* pointee.randomDraws)
        writeRegister(i.operands.0.register, number, size: Int(i.operands.0.size))
        setArithmeticFlags(RFLAGS.cf)
    }
}
