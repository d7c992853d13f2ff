import X86

/// SSE floating-point instructions, packed and scalar (Intel SDM vol. 2).
extension CPU {
    /// Runs `body` with a fresh context, folds what it raised into MXCSR, and stops with #XM (#UD
    /// without CR4.OSXMMEXCPT) before anything is written if an exception is not masked.
    @inline(__always)
    private func floating<R>(
        _ body: (inout FloatContext) throws(Fault) -> R
    ) throws(Fault) -> R {
        let state = vectorState
        var context = FloatContext(control: state.pointee.mxcsr)
        let r = try body(&context)
        context.finish()
        state.pointee.mxcsr |= context.raised | context.settled
        if context.unmasked != 0 {
            if pointee.cr4 & CR4.osxmmexcpt == 0 { throw .undefinedOpcode }
            throw Fault(vector: Vector.simdError)
        }
        return r
    }

    /// destination := f(destination, source), element by element; only the lowest for scalars.
    @inline(__always)
    private func floatBinary<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type, scalar: Bool,
        _ f: (inout FloatContext, T, T, Int) -> UInt64
    ) throws(Fault) {
        try requireSSE()
        let o = i.operands.0
        let b = try readVector(i, i.operands.1)
        var r = xmm(o.register)
        let a = r
        let count = scalar ? 1 : 16 / T.size
        r = try floating { (context) in
            var r = a
            for n in 0..<count {
                let x = T(bits: a.element(n, T.size))
                let y = T(bits: b.element(n, T.size))
                r.setElement(n, T.size, f(&context, x, y, n))
            }
            return r
        }
        setXMM(o.register, r)
    }

    /// One arithmetic operation for all four element shapes.
    enum FloatOperation {
        case add, subtract, multiply, divide, squareRoot, minimum, maximum
        case addSubtract
        case compare(UInt64)
    }

    func executeFloat<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type, scalar: Bool, _ operation: FloatOperation
    ) throws(Fault) {
        try floatBinary(i, type, scalar: scalar) { (context, a, b, n) in
            switch operation {
            case .add: return context.add(a, b).bits
            case .subtract: return Self.subtract(&context, a, b).bits
            case .multiply: return context.multiply(a, b).bits
            case .divide: return context.divide(a, b).bits
            case .squareRoot: return context.squareRoot(b).bits
            case .minimum: return context.extreme(a, b, maximum: false).bits
            case .maximum: return context.extreme(a, b, maximum: true).bits
            case .addSubtract:
                return n & 1 == 0
                    ? Self.subtract(&context, a, b).bits : context.add(a, b).bits
            case .compare(let predicate):
                return context.compare(a, b, predicate: predicate & 7) ? .max : 0
            }
        }
    }

    /// a - b; a NaN keeps its own sign.
    @inline(__always)
    private static func subtract<T: SSEFloat>(
        _ context: inout FloatContext, _ a: T, _ b: T
    ) -> T {
        context.add(a, b.isNaN ? b : -b)
    }

    /// HADDPx and HSUBPx: neighbours of the destination, then of the source.
    func executeFloatHorizontal<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type, subtract: Bool
    ) throws(Fault) {
        try requireSSE()
        let o = i.operands.0
        let b = try readVector(i, i.operands.1)
        let a = xmm(o.register)
        let r = try floating { (context) in
            var r = Vector128.zero
            let half = 8 / T.size
            for n in 0..<2 * half {
                let from = n < half ? a : b
                let at = 2 * (n < half ? n : n - half)
                let x = T(bits: from.element(at, T.size))
                let y = T(bits: from.element(at + 1, T.size))
                let v = subtract ? Self.subtract(&context, x, y) : context.add(x, y)
                r.setElement(n, T.size, v.bits)
            }
            return r
        }
        setXMM(o.register, r)
    }

    /// COMISx (`signals`: IE for any NaN) and UCOMISx: ZF PF CF; OF SF AF become 0.
    func executeFloatCompareFlags<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type, signals: Bool
    ) throws(Fault) {
        try requireSSE()
        let b = T(bits: try readVector(i, i.operands.1).element(0, T.size))
        let a = T(bits: xmm(i.operands.0.register).element(0, T.size))
        let flags = try floating { (context) -> UInt64 in
            if a.isNaN || b.isNaN {
                _ = context.compare(a, b, predicate: signals ? 1 : 0)
                return RFLAGS.zf | RFLAGS.pf | RFLAGS.cf
            }
            let x = context.operand(a)
            let y = context.operand(b)
            return x > y ? 0 : x < y ? RFLAGS.cf : RFLAGS.zf
        }
        setArithmeticFlags(flags)
    }

    /// ROUNDxx: the mode is the immediate's, or MXCSR's if bit 2 says so; bit 3 holds back PE.
    func executeFloatRound<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type, scalar: Bool
    ) throws(Fault) {
        let control = i.immediate
        try floatBinary(i, type, scalar: scalar) { (context, _, b, _) in
            let mode = control & 4 != 0 ? context.roundingMode : control & 3
            return context.round(b, mode: mode, inexact: control & 8 == 0).bits
        }
    }

    // MARK: - Conversions

    /// CVTSI2SS and CVTSI2SD.
    func executeConvertFromRegister<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type
    ) throws(Fault) {
        try requireSSE()
        let source = i.operands.1
        let v = Int64(
            bitPattern: ALU.signExtend(try readOperand(i, source), Int(source.size)))
        let r = try floating { (context) -> T in context.fromInteger(v) }
        var whole = xmm(i.operands.0.register)
        whole.setElement(0, T.size, r.bits)
        setXMM(i.operands.0.register, whole)
    }

    /// CVTSS2SI, CVTSD2SI and their truncating forms.
    func executeConvertToRegister<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type, truncating: Bool
    ) throws(Fault) {
        try requireSSE()
        let o = i.operands.0
        let bits = Int(o.size) * 8
        let x = T(bits: try readVector(i, i.operands.1).element(0, T.size))
        let r = try floating { (context) -> UInt64 in
            context.toInteger(x, bits: bits, truncating: truncating)
        }
        try writeOperand(i, o, r)
    }

    /// CVTSS2SD.
    func executeConvertSingleToDouble(_ i: borrowing Instruction) throws(Fault) {
        try requireSSE()
        let x = Float(bits: try readVector(i, i.operands.1).low)
        let r = try floating { (context) -> Double in context.widen(x) }
        let o = i.operands.0.register
        setXMM(o, Vector128(low: r.bits, high: xmm(o).high))
    }

    /// CVTSD2SS.
    func executeConvertDoubleToSingle(_ i: borrowing Instruction) throws(Fault) {
        try requireSSE()
        let x = Double(bits: try readVector(i, i.operands.1).low)
        let r = try floating { (context) -> Float in context.narrow(x) }
        var whole = xmm(i.operands.0.register)
        whole.setElement(0, 4, r.bits)
        setXMM(i.operands.0.register, whole)
    }

    /// A packed conversion of `count` elements; the destination's other elements become zero.
    @inline(__always)
    private func convertPacked(
        _ i: borrowing Instruction, from: Int, to: Int, count: Int,
        _ f: (inout FloatContext, UInt64) -> UInt64
    ) throws(Fault) {
        try requireSSE()
        let b = try readVector(i, i.operands.1)
        let r = try floating { (context) in
            var r = Vector128.zero
            for n in 0..<count { r.setElement(n, to, f(&context, b.element(n, from))) }
            return r
        }
        setXMM(i.operands.0.register, r)
    }

    /// CVTPS2PD and CVTPD2PS.
    func executeConvertPackedFloat(_ i: borrowing Instruction, widening: Bool) throws(Fault) {
        if widening {
            try convertPacked(i, from: 4, to: 8, count: 2) { $0.widen(Float(bits: $1)).bits }
        } else {
            try convertPacked(i, from: 8, to: 4, count: 2) { $0.narrow(Double(bits: $1)).bits }
        }
    }

    /// CVTDQ2PS and CVTDQ2PD.
    func executeConvertPackedFromInteger<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type
    ) throws(Fault) {
        try convertPacked(i, from: 4, to: T.size, count: 16 / T.size) {
            let r: T = $0.fromInteger(Int64(bitPattern: ALU.signExtend($1, 4)))
            return r.bits
        }
    }

    /// CVTPS2DQ, CVTPD2DQ and their truncating forms.
    func executeConvertPackedToInteger<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type, truncating: Bool
    ) throws(Fault) {
        try convertPacked(i, from: T.size, to: 4, count: 16 / T.size) {
            $0.toInteger(T(bits: $1), bits: 32, truncating: truncating)
        }
    }

    /// CVTPS2PI, CVTPD2PI and their truncating forms: to an MMX register.
    func executeConvertToMMX<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type, truncating: Bool
    ) throws(Fault) {
        try requireVectors(i)
        let b = try readVector(i, i.operands.1)
        enterMMX()
        let r = try floating { (context) in
            var r = Vector128.zero
            for n in 0..<2 {
                let x = T(bits: b.element(n, T.size))
                r.setElement(n, 4, context.toInteger(x, bits: 32, truncating: truncating))
            }
            return r
        }
        setMMX(i.operands.0.register, r.low)
    }

    /// CVTPI2PS and CVTPI2PD: from an MMX register or memory.
    func executeConvertFromMMX<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type
    ) throws(Fault) {
        try requireVectors(i)
        let b = try readVector(i, i.operands.1)
        noteMMX(i)
        let old = xmm(i.operands.0.register)
        let r = try floating { (context) in
            var r = old
            for n in 0..<2 {
                let v: T = context.fromInteger(b.signedElement(n, 4))
                r.setElement(n, T.size, v.bits)
            }
            return r
        }
        setXMM(i.operands.0.register, r)
    }

    /// DPPS and DPPD: products chosen by bits 4 and up, summed pairwise, stored where bits 0 and up
    /// say and zero elsewhere.
    func executeDotProduct<T: SSEFloat>(
        _ i: borrowing Instruction, _ type: T.Type
    ) throws(Fault) {
        try requireSSE()
        let b = try readVector(i, i.operands.1)
        let a = xmm(i.operands.0.register)
        let control = i.immediate
        let count = 16 / T.size
        let r = try floating { (context) in
            var products: (T, T, T, T) = (0, 0, 0, 0)
            for n in 0..<count where (control &>> UInt64(4 + n)) & 1 != 0 {
                let v = context.multiply(
                    T(bits: a.element(n, T.size)), T(bits: b.element(n, T.size)))
                switch n {
                case 0: products.0 = v
                case 1: products.1 = v
                case 2: products.2 = v
                default: products.3 = v
                }
            }
            // What the products raise unmasked ends the instruction before there are sums to raise
            // more (measured on Zen; SDM vol. 2, DPPS: each stage checks for exceptions).
            guard context.endStage() else { return Vector128.zero }
            var sum = context.add(products.0, products.1)
            if count == 4 {
                let upper = context.add(products.2, products.3)
                guard context.endStage() else { return Vector128.zero }
                sum = context.add(sum, upper)
            }
            var r = Vector128.zero
            for n in 0..<count where (control &>> UInt64(n)) & 1 != 0 {
                r.setElement(n, T.size, sum.bits)
            }
            return r
        }
        setXMM(i.operands.0.register, r)
    }
}
