import X86

/// The loop of the block executor: a table of what each kind of operation does. An operation that
/// needs more than registers and pages that the data TLB vouches for breaks to `slow`, having
/// changed nothing, and the instruction families execute its instruction instead. So a case here
/// never faults, never walks, and never meets a device or a page with decoded code.
///
/// The flags live in three locals. `link` is the place that should come to name the block that
/// control reaches next.
///
/// The loop exists twice, for `wide` is a constant in each: once for 64-bit code (and for what is
/// executed of 16-bit and segmented 32-bit code without memory operands), once for flat 32-bit code,
/// whose addresses and stack have 32 bits. A block of the other sort goes back to the outer loop.
extension UnsafeMutablePointer<CPUState> {
    /// Runs from a block that `findBlock` allows until something needs the outer loop. The vCPU is
    /// then at an instruction boundary, with everything written back.
    func run(_ first: BlockPointer, _ cache: BlockCachePointer) {
        if first.isFlat { runFlat(first, cache) } else { runWide(first, cache) }
    }

    @inline(never)
    private func runWide(_ first: BlockPointer, _ cache: BlockCachePointer) {
        loop(first, cache, wide: true)
    }

    @inline(never)
    private func runFlat(_ first: BlockPointer, _ cache: BlockCachePointer) {
        loop(first, cache, wide: false)
    }

    @inline(__always)
    private func loop(_ first: BlockPointer, _ cache: BlockCachePointer, wide: Bool) {
        var flags = LazyFlags(pointee.rflags)
        var block = first
        var op = first.operations
        var link = cache.pointee.noLink
        // Constant where it is wide; flat code may come to be able to use FS or GS.
        let wideMode = UInt64(CodeSize.bits64.rawValue) &<< Block.keyShift
        var mode = wide ? wideMode : first.mode
        run: while true {
            slow: while true {
                switch op.pointee.kind {
                case .movRR8: set8(op, s8(op))
                case .movRR16: set16(op, s16(op))
                case .movRR32: set32(op, s32(op))
                case .movRR64: set64(op, s64(op))
                case .movRI8: set8(op, op.i8)
                case .movRI16: set16(op, op.i16)
                case .movRI64: set64(op, op.i64)
                case .movRM8:
                    guard let p = readable(op, 1, wide) else { break slow }
                    set8(op, p.u8)
                case .movRM16:
                    guard let p = readable(op, 2, wide) else { break slow }
                    set16(op, p.u16)
                case .movRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, p.u32)
                case .movRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, p.u64)
                case .movMR8:
                    guard let p = writable(op, 1, wide) else { break slow }
                    p.u8 = s8(op)
                case .movMR16:
                    guard let p = writable(op, 2, wide) else { break slow }
                    p.u16 = s16(op)
                case .movMR32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = s32(op)
                case .movMR64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = s64(op)
                case .movMI8:
                    guard let p = writable(op, 1, wide) else { break slow }
                    p.u8 = op.i8
                case .movMI16:
                    guard let p = writable(op, 2, wide) else { break slow }
                    p.u16 = op.i16
                case .movMI32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = op.i32
                case .movMI64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = op.i64
                case .movzxR8: set64(op, UInt64(s8(op)))
                case .movzxR16: set64(op, UInt64(s16(op)))
                case .movzxM8:
                    guard let p = readable(op, 1, wide) else { break slow }
                    set64(op, UInt64(p.u8))
                case .movzxM16:
                    guard let p = readable(op, 2, wide) else { break slow }
                    set64(op, UInt64(p.u16))
                case .movsxR8to32: set32(op, UInt32(truncatingIfNeeded: s8(op).extended))
                case .movsxR8to64: set64(op, s8(op).extended)
                case .movsxR16to32: set32(op, UInt32(truncatingIfNeeded: s16(op).extended))
                case .movsxR16to64: set64(op, s16(op).extended)
                case .movsxR32to64: set64(op, s32(op).extended)
                case .movsxM8to32:
                    guard let p = readable(op, 1, wide) else { break slow }
                    set32(op, UInt32(truncatingIfNeeded: p.u8.extended))
                case .movsxM8to64:
                    guard let p = readable(op, 1, wide) else { break slow }
                    set64(op, p.u8.extended)
                case .movsxM16to32:
                    guard let p = readable(op, 2, wide) else { break slow }
                    set32(op, UInt32(truncatingIfNeeded: p.u16.extended))
                case .movsxM16to64:
                    guard let p = readable(op, 2, wide) else { break slow }
                    set64(op, p.u16.extended)
                case .movsxM32to64:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set64(op, p.u32.extended)
                case .lea32: set32(op, UInt32(truncatingIfNeeded: offset(op)))
                case .lea64: set64(op, offset(op))
                case .leaBase64: set64(op, base(op) &+ displacement(op))
                case .addRR32: set32(op, flags.add(d32(op), s32(op)))
                case .orRR32: set32(op, flags.or(d32(op), s32(op)))
                case .adcRR32: set32(op, flags.adc(d32(op), s32(op)))
                case .sbbRR32: set32(op, flags.sbb(d32(op), s32(op)))
                case .andRR32: set32(op, flags.and(d32(op), s32(op)))
                case .subRR32: set32(op, flags.sub(d32(op), s32(op)))
                case .xorRR32: set32(op, flags.xor(d32(op), s32(op)))
                case .cmpRR32: flags.cmp(d32(op), s32(op))
                case .addRR64: set64(op, flags.add(d64(op), s64(op)))
                case .orRR64: set64(op, flags.or(d64(op), s64(op)))
                case .adcRR64: set64(op, flags.adc(d64(op), s64(op)))
                case .sbbRR64: set64(op, flags.sbb(d64(op), s64(op)))
                case .andRR64: set64(op, flags.and(d64(op), s64(op)))
                case .subRR64: set64(op, flags.sub(d64(op), s64(op)))
                case .xorRR64: set64(op, flags.xor(d64(op), s64(op)))
                case .cmpRR64: flags.cmp(d64(op), s64(op))
                case .addRI32: set32(op, flags.add(d32(op), op.i32))
                case .orRI32: set32(op, flags.or(d32(op), op.i32))
                case .adcRI32: set32(op, flags.adc(d32(op), op.i32))
                case .sbbRI32: set32(op, flags.sbb(d32(op), op.i32))
                case .andRI32: set32(op, flags.and(d32(op), op.i32))
                case .subRI32: set32(op, flags.sub(d32(op), op.i32))
                case .xorRI32: set32(op, flags.xor(d32(op), op.i32))
                case .cmpRI32: flags.cmp(d32(op), op.i32)
                case .addRI64: set64(op, flags.add(d64(op), op.i64))
                case .orRI64: set64(op, flags.or(d64(op), op.i64))
                case .adcRI64: set64(op, flags.adc(d64(op), op.i64))
                case .sbbRI64: set64(op, flags.sbb(d64(op), op.i64))
                case .andRI64: set64(op, flags.and(d64(op), op.i64))
                case .subRI64: set64(op, flags.sub(d64(op), op.i64))
                case .xorRI64: set64(op, flags.xor(d64(op), op.i64))
                case .cmpRI64: flags.cmp(d64(op), op.i64)
                case .addRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, flags.add(d32(op), p.u32))
                case .orRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, flags.or(d32(op), p.u32))
                case .adcRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, flags.adc(d32(op), p.u32))
                case .sbbRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, flags.sbb(d32(op), p.u32))
                case .andRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, flags.and(d32(op), p.u32))
                case .subRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, flags.sub(d32(op), p.u32))
                case .xorRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, flags.xor(d32(op), p.u32))
                case .cmpRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    flags.cmp(d32(op), p.u32)
                case .addRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, flags.add(d64(op), p.u64))
                case .orRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, flags.or(d64(op), p.u64))
                case .adcRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, flags.adc(d64(op), p.u64))
                case .sbbRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, flags.sbb(d64(op), p.u64))
                case .andRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, flags.and(d64(op), p.u64))
                case .subRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, flags.sub(d64(op), p.u64))
                case .xorRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, flags.xor(d64(op), p.u64))
                case .cmpRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    flags.cmp(d64(op), p.u64)
                case .addMR32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.add(p.u32, s32(op))
                case .orMR32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.or(p.u32, s32(op))
                case .adcMR32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.adc(p.u32, s32(op))
                case .sbbMR32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.sbb(p.u32, s32(op))
                case .andMR32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.and(p.u32, s32(op))
                case .subMR32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.sub(p.u32, s32(op))
                case .xorMR32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.xor(p.u32, s32(op))
                case .cmpMR32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    flags.cmp(p.u32, s32(op))
                case .addMR64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.add(p.u64, s64(op))
                case .orMR64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.or(p.u64, s64(op))
                case .adcMR64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.adc(p.u64, s64(op))
                case .sbbMR64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.sbb(p.u64, s64(op))
                case .andMR64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.and(p.u64, s64(op))
                case .subMR64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.sub(p.u64, s64(op))
                case .xorMR64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.xor(p.u64, s64(op))
                case .cmpMR64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    flags.cmp(p.u64, s64(op))
                case .addMI32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.add(p.u32, op.i32)
                case .orMI32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.or(p.u32, op.i32)
                case .adcMI32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.adc(p.u32, op.i32)
                case .sbbMI32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.sbb(p.u32, op.i32)
                case .andMI32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.and(p.u32, op.i32)
                case .subMI32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.sub(p.u32, op.i32)
                case .xorMI32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.xor(p.u32, op.i32)
                case .cmpMI32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    flags.cmp(p.u32, op.i32)
                case .addMI64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.add(p.u64, op.i64)
                case .orMI64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.or(p.u64, op.i64)
                case .adcMI64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.adc(p.u64, op.i64)
                case .sbbMI64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.sbb(p.u64, op.i64)
                case .andMI64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.and(p.u64, op.i64)
                case .subMI64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.sub(p.u64, op.i64)
                case .xorMI64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.xor(p.u64, op.i64)
                case .cmpMI64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    flags.cmp(p.u64, op.i64)
                case .aluRR8: set8(op, flags.alu(op.sub, d8(op), s8(op)))
                case .aluRI8: set8(op, flags.alu(op.sub, d8(op), op.i8))
                case .aluRM8:
                    guard let p = readable(op, 1, wide) else { break slow }
                    set8(op, flags.alu(op.sub, d8(op), p.u8))
                case .aluMR8:
                    guard let p = writable(op, 1, wide) else { break slow }
                    p.u8 = flags.alu(op.sub, p.u8, s8(op))
                case .aluMI8:
                    guard let p = writable(op, 1, wide) else { break slow }
                    p.u8 = flags.alu(op.sub, p.u8, op.i8)
                case .aluRR16: set16(op, flags.alu(op.sub, d16(op), s16(op)))
                case .aluRI16: set16(op, flags.alu(op.sub, d16(op), op.i16))
                case .aluRM16:
                    guard let p = readable(op, 2, wide) else { break slow }
                    set16(op, flags.alu(op.sub, d16(op), p.u16))
                case .aluMR16:
                    guard let p = writable(op, 2, wide) else { break slow }
                    p.u16 = flags.alu(op.sub, p.u16, s16(op))
                case .aluMI16:
                    guard let p = writable(op, 2, wide) else { break slow }
                    p.u16 = flags.alu(op.sub, p.u16, op.i16)
                case .cmpRI8: flags.cmp(d8(op), op.i8)
                case .cmpRR8: flags.cmp(d8(op), s8(op))
                case .cmpMI8:
                    guard let p = readable(op, 1, wide) else { break slow }
                    flags.cmp(p.u8, op.i8)
                case .cmpMR8:
                    guard let p = readable(op, 1, wide) else { break slow }
                    flags.cmp(p.u8, s8(op))
                case .cmpRM8:
                    guard let p = readable(op, 1, wide) else { break slow }
                    flags.cmp(d8(op), p.u8)
                case .cmpMI16:
                    guard let p = readable(op, 2, wide) else { break slow }
                    flags.cmp(p.u16, op.i16)
                case .cmpMR16:
                    guard let p = readable(op, 2, wide) else { break slow }
                    flags.cmp(p.u16, s16(op))
                case .testRR8: flags.test(d8(op), s8(op))
                case .testRI8: flags.test(d8(op), op.i8)
                case .testMR8:
                    guard let p = readable(op, 1, wide) else { break slow }
                    flags.test(p.u8, s8(op))
                case .testMI8:
                    guard let p = readable(op, 1, wide) else { break slow }
                    flags.test(p.u8, op.i8)
                case .testRR32: flags.test(d32(op), s32(op))
                case .testRI32: flags.test(d32(op), op.i32)
                case .testMR32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    flags.test(p.u32, s32(op))
                case .testMI32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    flags.test(p.u32, op.i32)
                case .testRR64: flags.test(d64(op), s64(op))
                case .testRI64: flags.test(d64(op), op.i64)
                case .testMR64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    flags.test(p.u64, s64(op))
                case .testMI64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    flags.test(p.u64, op.i64)
                case .incR32: set32(op, flags.inc(d32(op)))
                case .incR64: set64(op, flags.inc(d64(op)))
                case .decR32: set32(op, flags.dec(d32(op)))
                case .decR64: set64(op, flags.dec(d64(op)))
                case .negR32: set32(op, flags.neg(d32(op)))
                case .negR64: set64(op, flags.neg(d64(op)))
                case .notR32: set32(op, ~d32(op))
                case .notR64: set64(op, ~d64(op))
                case .incM32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.inc(p.u32)
                case .incM64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.inc(p.u64)
                case .decM32:
                    guard let p = writable(op, 4, wide) else { break slow }
                    p.u32 = flags.dec(p.u32)
                case .decM64:
                    guard let p = writable(op, 8, wide) else { break slow }
                    p.u64 = flags.dec(p.u64)
                case .shlRI32: set32(op, flags.shl(d32(op), op.sub))
                case .shlRI64: set64(op, flags.shl(d64(op), op.sub))
                case .shrRI32: set32(op, flags.shr(d32(op), op.sub))
                case .shrRI64: set64(op, flags.shr(d64(op), op.sub))
                case .sarRI32: set32(op, flags.sar(d32(op), op.sub))
                case .sarRI64: set64(op, flags.sar(d64(op), op.sub))
                case .rolRI32: set32(op, flags.rol(d32(op), op.sub))
                case .rolRI64: set64(op, flags.rol(d64(op), op.sub))
                case .rorRI32: set32(op, flags.ror(d32(op), op.sub))
                case .rorRI64: set64(op, flags.ror(d64(op), op.sub))
                case .shlRC32:
                    let n = UInt8(truncatingIfNeeded: pointee.rcx) & 31
                    set32(op, n == 0 ? d32(op) : flags.shl(d32(op), n))
                case .shlRC64:
                    let n = UInt8(truncatingIfNeeded: pointee.rcx) & 63
                    set64(op, n == 0 ? d64(op) : flags.shl(d64(op), n))
                case .shrRC32:
                    let n = UInt8(truncatingIfNeeded: pointee.rcx) & 31
                    set32(op, n == 0 ? d32(op) : flags.shr(d32(op), n))
                case .shrRC64:
                    let n = UInt8(truncatingIfNeeded: pointee.rcx) & 63
                    set64(op, n == 0 ? d64(op) : flags.shr(d64(op), n))
                case .sarRC32:
                    let n = UInt8(truncatingIfNeeded: pointee.rcx) & 31
                    set32(op, n == 0 ? d32(op) : flags.sar(d32(op), n))
                case .sarRC64:
                    let n = UInt8(truncatingIfNeeded: pointee.rcx) & 63
                    set64(op, n == 0 ? d64(op) : flags.sar(d64(op), n))
                case .imulRR32: set32(op, flags.imul(d32(op), s32(op)))
                case .imulRR64: set64(op, flags.imul(d64(op), s64(op)))
                case .imulRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, flags.imul(d32(op), p.u32))
                case .imulRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, flags.imul(d64(op), p.u64))
                case .imulRRI32: set32(op, flags.imul(s32(op), op.i32))
                case .imulRRI64: set64(op, flags.imul(s64(op), op.i64))
                case .imulRMI32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, flags.imul(p.u32, op.i32))
                case .imulRMI64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, flags.imul(p.u64, op.i64))
                case .mulR32: multiply32(op, &flags)
                case .mulR64: multiply64(op, &flags)
                case .xchgRR32:
                    let v = d32(op)
                    set32(op, s32(op))
                    setSource32(op, v)
                case .xchgRR64:
                    let v = d64(op)
                    set64(op, s64(op))
                    setSource64(op, v)
                case .bswap32: set32(op, d32(op).byteSwapped)
                case .bswap64: set64(op, d64(op).byteSwapped)
                case .cdqe: pointee.rax = UInt32(truncatingIfNeeded: pointee.rax).extended
                case .cwde:
                    pointee.rax = UInt16(truncatingIfNeeded: pointee.rax).extended & 0xFFFF_FFFF
                case .cqo: pointee.rdx = UInt64(bitPattern: Int64(bitPattern: pointee.rax) &>> 63)
                case .cdq:
                    pointee.rdx = UInt64(
                        UInt32(bitPattern: Int32(truncatingIfNeeded: pointee.rax) &>> 31))
                case .setR: set8(op, flags.holds(op.sub) ? 1 : 0)
                case .setM:
                    guard let p = writable(op, 1, wide) else { break slow }
                    p.u8 = flags.holds(op.sub) ? 1 : 0
                case .cmovRR32: set32(op, flags.holds(op.sub) ? s32(op) : d32(op))
                case .cmovRR64: set64(op, flags.holds(op.sub) ? s64(op) : d64(op))
                case .cmovRM32:
                    guard let p = readable(op, 4, wide) else { break slow }
                    set32(op, flags.holds(op.sub) ? p.u32 : d32(op))
                case .cmovRM64:
                    guard let p = readable(op, 8, wide) else { break slow }
                    set64(op, flags.holds(op.sub) ? p.u64 : d64(op))
                case .btRI32: flags.setCarry(UInt64((d32(op) &>> op.i32) & 1))
                case .btRI64: flags.setCarry(UInt64((d64(op) &>> op.i64) & 1))
                case .btRR32: flags.setCarry(UInt64((d32(op) &>> s32(op)) & 1))
                case .btRR64: flags.setCarry(UInt64((d64(op) &>> s64(op)) & 1))
                case .pushR: guard pushed(s64(op), wide) else { break slow }
                case .pushI: guard pushed(op.i64, wide) else { break slow }
                case .pushM:
                    guard let p = readable(op, wide ? 8 : 4, wide) else { break slow }
                    guard pushed(p.word(wide), wide) else { break slow }
                case .popR:
                    guard let p = stackTop(pointee.rsp, wide) else { break slow }
                    drop(0, wide)
                    set64(op, p.word(wide))
                case .leave:
                    guard let p = stackTop(pointee.rbp, wide) else { break slow }
                    pointee.rsp = pointee.rbp
                    drop(0, wide)
                    pointee.rbp = p.word(wide)
                case .nop: break
                case .jo:
                    guard branch(flags.overflow, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jno:
                    guard branch(!flags.overflow, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jb:
                    guard branch(flags.below, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jae:
                    guard branch(!flags.below, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .je:
                    guard branch(flags.equal, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jne:
                    guard branch(!flags.equal, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jbe:
                    guard branch(flags.belowOrEqual, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .ja:
                    guard branch(!flags.belowOrEqual, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .js:
                    guard branch(flags.sign, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jns:
                    guard branch(!flags.sign, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jp:
                    guard branch(flags.even, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jnp:
                    guard branch(!flags.even, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jl:
                    guard branch(flags.less, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jge:
                    guard branch(!flags.less, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jle:
                    guard branch(flags.lessOrEqual, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jg:
                    guard branch(!flags.lessOrEqual, op, block, &link, wide) else { break slow }
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jmp:
                    guard take(op, wide) else { break slow }
                    link = block.takenLink
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .call:
                    let target = self.target(op, wide)
                    guard isInside(target, wide) else { break slow }
                    guard pushed(end(op, wide), wide) else { break slow }
                    pointee.rip = target
                    link = block.takenLink
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .jmpR:
                    let target = wide ? s64(op) : UInt64(s32(op))
                    guard isInside(target, wide) else { break slow }
                    pointee.rip = target
                    guard leap(cache, mode, &block, &op) else { break run }
                    continue
                case .jmpM:
                    guard let p = readable(op, wide ? 8 : 4, wide) else { break slow }
                    let target = p.word(wide)
                    guard isInside(target, wide) else { break slow }
                    pointee.rip = target
                    guard leap(cache, mode, &block, &op) else { break run }
                    continue
                case .callR:
                    let target = wide ? s64(op) : UInt64(s32(op))
                    guard isInside(target, wide) else { break slow }
                    guard pushed(end(op, wide), wide) else { break slow }
                    pointee.rip = target
                    guard leap(cache, mode, &block, &op) else { break run }
                    continue
                case .callM:
                    guard let p = readable(op, wide ? 8 : 4, wide) else { break slow }
                    let target = p.word(wide)
                    guard isInside(target, wide) else { break slow }
                    guard pushed(end(op, wide), wide) else { break slow }
                    pointee.rip = target
                    guard leap(cache, mode, &block, &op) else { break run }
                    continue
                case .ret:
                    guard let p = stackTop(pointee.rsp, wide) else { break slow }
                    let target = p.word(wide)
                    guard isInside(target, wide) else { break slow }
                    drop(0, wide)
                    pointee.rip = target
                    guard leap(cache, mode, &block, &op) else { break run }
                    continue
                case .retI:
                    guard let p = stackTop(pointee.rsp, wide) else { break slow }
                    let target = p.word(wide)
                    guard isInside(target, wide) else { break slow }
                    drop(op.i64, wide)
                    pointee.rip = target
                    guard leap(cache, mode, &block, &op) else { break run }
                    continue
                case .next:
                    pass(op, wide)
                    link = block.followingLink
                    guard follow(link, &block, &op) else { break run }
                    continue
                case .stale:
                    if link.pointee == cache.pointee.unlinkable, !wide || in64Bit,
                        let next = nearBlock(cache, mode)
                    {
                        block = next
                        op = next.operations
                        continue
                    }
                    guard enter(cache, link, &block, &op) else { break run }
                    continue
                case .native where wide:
                    let end = runNative(op, block)
                    flags = LazyFlags(end.flags)
                    link = end.taken ? block.takenLink : block.followingLink
                    guard hop(link, &block, &op) else { break run }
                    continue
                case .step:
                    break run
                case .single, .singleLast, .native, .spare0, .spare1, .spare2, .spare3, .spare4,
                    .spare5,
                    .spare6, .spare7, .spare8, .spare9, .spare10, .spare11, .spare12, .spare13,
                    .spare14, .spare15, .spare16, .spare17, .spare18:
                    break slow
                }
                op += 1
            }
            pointee.rflags = flags.merged(pointee.rflags)
            guard let next = finishSlowly(op, block, cache), next.block.isFlat != wide else {
                return
            }
            flags = LazyFlags(pointee.rflags)
            block = next.block
            op = next.operation
            mode = wide ? wideMode : block.mode
        }
        pointee.rflags = flags.merged(pointee.rflags)
    }
}
