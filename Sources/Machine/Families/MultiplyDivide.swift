import X86

/// MUL, IMUL, DIV and IDIV (Intel SDM vol. 2). The one-operand forms work on AX for bytes and on
/// rDX:rAX for the other sizes.
extension CPU {
    /// Writes a double-width result: AX, or rDX:rAX.
    private func writeDouble(low: UInt64, high: UInt64, _ size: Int) {
        if size == 1 {
            writeRegister(0, (low & 0xFF) | (high &<< 8), size: 2)
        } else {
            writeRegister(0, low, size: size)
            writeRegister(2, high, size: size)
        }
    }

    /// MUL: CF and OF say that the upper half is not zero.
    func executeMultiply(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let size = Int(o.size)
        let b = try readOperand(i, o)
        let a = readRegister(0, size: size)
        let wide = a.multipliedFullWidth(by: b)
        var low = wide.low
        var high = wide.high
        if size != 8 {
            high = low &>> UInt64(size &* 8)
            low &= sizeMask(size)
        }
        writeDouble(low: low, high: high, size)
        setArithmeticFlags(
            UndefinedFlags.multiply(low: low, overflow: high == 0 ? 0 : 1, size))
    }

    /// IMUL in all its forms: CF and OF say that the product does not fit the lower half.
    func executeSignedMultiply(_ i: borrowing Instruction) throws(Fault) {
        let destination = i.operands.0
        let size = Int(destination.size)
        let a: UInt64
        let b: UInt64
        switch i.operandCount {
        case 1:
            a = readRegister(0, size: size)
            b = try readOperand(i, destination)
        case 2:
            a = try readOperand(i, destination)
            b = try readOperand(i, i.operands.1)
        default:
            a = try readOperand(i, i.operands.1)
            b = try readOperand(i, i.operands.2)
        }
        let x = Int64(bitPattern: ALU.signExtend(a, size))
        let y = Int64(bitPattern: ALU.signExtend(b, size))
        let wide = x.multipliedFullWidth(by: y)
        let low = wide.low & sizeMask(size)
        // The sign-extended lower half equals the product exactly when it fits.
        let back = Int64(bitPattern: ALU.signExtend(low, size))
        let fits = UInt64(bitPattern: back) == wide.low && back &>> 63 == wide.high
        if i.operandCount == 1 {
            let high = size == 8 ? UInt64(bitPattern: wide.high) : wide.low &>> UInt64(size &* 8)
            writeDouble(low: low, high: high & sizeMask(size), size)
        } else {
            try writeOperand(i, destination, low)
        }
        setArithmeticFlags(UndefinedFlags.multiply(low: low, overflow: fits ? 0 : 1, size))
    }

    /// DIV: #DE for a zero divisor or a quotient that does not fit. Flags are unchanged.
    func executeDivide(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let size = Int(o.size)
        let divisor = try readOperand(i, o)
        if divisor == 0 { throw .divideError }
        if size == 8 {
            if pointee.rdx >= divisor { throw .divideError }
            let r = divisor.dividingFullWidth((pointee.rdx, pointee.rax))
            writeDouble(low: r.quotient, high: r.remainder, size)
            return
        }
        let dividend = narrowDividend(size)
        let quotient = dividend / divisor
        if quotient > sizeMask(size) { throw .divideError }
        writeDouble(low: quotient, high: dividend % divisor, size)
    }

    /// IDIV: truncates towards zero; the remainder has the dividend's sign. Flags are unchanged.
    func executeSignedDivide(_ i: borrowing Instruction) throws(Fault) {
        let o = i.operands.0
        let size = Int(o.size)
        let divisor = Int64(bitPattern: ALU.signExtend(try readOperand(i, o), size))
        if divisor == 0 { throw .divideError }
        if size == 8 { return try signedDivideWide(divisor) }
        let dividend = Int64(bitPattern: ALU.signExtend(narrowDividend(size), size &* 2))
        // Only -2^63 / -1 overflows 64 bits; the quotient then fits no size.
        let (quotient, overflow) = dividend.dividedReportingOverflow(by: divisor)
        let limit = Int64(bitPattern: sizeMask(size) &>> 1)
        if overflow || quotient > limit || quotient < -limit - 1 { throw .divideError }
        let remainder = dividend % divisor
        writeDouble(
            low: UInt64(bitPattern: quotient) & sizeMask(size),
            high: UInt64(bitPattern: remainder) & sizeMask(size), size)
    }

    /// AX, DX:AX or EDX:EAX as one value.
    private func narrowDividend(_ size: Int) -> UInt64 {
        if size == 1 { return pointee.rax & 0xFFFF }
        let high = readRegister(2, size: size) &<< UInt64(size &* 8)
        return high | readRegister(0, size: size)
    }

    /// RDX:RAX / divisor by magnitudes, as no wider integer is at hand.
    private func signedDivideWide(_ divisor: Int64) throws(Fault) {
        let negative = Int64(bitPattern: pointee.rdx) < 0
        var low = pointee.rax
        var high = pointee.rdx
        if negative {
            low = 0 &- low
            high = ~high &+ (low == 0 ? 1 : 0)
        }
        let magnitude = divisor.magnitude
        if high >= magnitude { throw .divideError }
        let r = magnitude.dividingFullWidth((high, low))
        let quotientNegative = negative != (divisor < 0)
        let limit: UInt64 = quotientNegative ? 1 << 63 : (1 << 63) - 1
        if r.quotient > limit { throw .divideError }
        writeDouble(
            low: quotientNegative ? 0 &- r.quotient : r.quotient,
            high: negative ? 0 &- r.remainder : r.remainder, 8)
    }
}
