import X86

/// Executor A's table: what each mnemonic of the opcode table does, one line each. It is one switch
/// without a default, and so longer than a function may be elsewhere, in order that the compiler
/// refuses a mnemonic that nobody has decided about.
extension CPU {
    /// Executes one decoded instruction. RIP is already that of the next instruction; it is changed
    /// by branches only. When it throws, nothing architectural has changed but RIP, and the caller
    /// puts that back (for `Fault.suspended`, completed iterations of a string instruction stay).
    func execute(_ i: borrowing Instruction) throws(Fault) {
        switch i.mnemonic {
        // Data movement and integer arithmetic.
        case .mov, .movnti, .movzx:
            try executeMove(i)
        case .movsx, .movsxd:
            try executeMoveSignExtended(i)
        case .movbe: try executeMoveByteSwapped(i)
        case .bswap: try executeByteSwap(i)
        case .lea: try executeLoadAddress(i)
        case .cmovcc: try executeConditionalMove(i)
        case .setcc: try executeSetOnCondition(i)
        case .xlat: try executeTranslate(i)
        case .movSegment: try executeMoveSegment(i)
        case .lds: try executeLoadFarPointer(i, segment: SegmentNumber.ds)
        case .les: try executeLoadFarPointer(i, segment: SegmentNumber.es)
        case .lfs: try executeLoadFarPointer(i, segment: SegmentNumber.fs)
        case .lgs: try executeLoadFarPointer(i, segment: SegmentNumber.gs)
        case .lss: try executeLoadFarPointer(i, segment: SegmentNumber.ss)
        case .cbw: executeConvertAccumulator(i)
        case .cwd: executeSpreadSign(i)
        case .lahf: executeLoadFlagsToAH()
        case .sahf: executeStoreAHToFlags()
        case .salc: executeSetALFromCarry()
        case .add: try executeAdd(i, carry: 0)
        case .adc: try executeAdd(i, carry: carry)
        case .sub: try executeSubtract(i, borrow: 0)
        case .sbb: try executeSubtract(i, borrow: carry)
        case .cmp: try executeCompare(i)
        case .inc: try executeIncrement(i)
        case .dec: try executeDecrement(i)
        case .neg: try executeNegate(i)
        case .and: try executeAnd(i)
        case .or: try executeOr(i)
        case .xor: try executeExclusiveOr(i)
        case .test: try executeTest(i)
        case .not: try executeNot(i)
        case .shl: try executeShiftLeft(i)
        case .shr: try executeShiftRight(i)
        case .sar: try executeShiftArithmeticRight(i)
        case .rol: try executeRotateLeft(i)
        case .ror: try executeRotateRight(i)
        case .rcl: try executeRotateCarryLeft(i)
        case .rcr: try executeRotateCarryRight(i)
        case .shld: try executeShiftDouble(i, left: true)
        case .shrd: try executeShiftDouble(i, left: false)
        case .mul: try executeMultiply(i)
        case .imul: try executeSignedMultiply(i)
        case .div: try executeDivide(i)
        case .idiv: try executeSignedDivide(i)
        case .bt: try executeBitTest(i, .none)
        case .bts: try executeBitTest(i, .set)
        case .btr: try executeBitTest(i, .reset)
        case .btc: try executeBitTest(i, .complement)
        case .bsf: try executeBitScan(i, reverse: false)
        case .bsr: try executeBitScan(i, reverse: true)
        case .popcnt: try executePopulationCount(i)
        case .crc32: try executeCRC32(i)
        case .daa: executeDecimalAdjust(subtract: false)
        case .das: executeDecimalAdjust(subtract: true)
        case .aaa: executeASCIIAdjust(subtract: false)
        case .aas: executeASCIIAdjust(subtract: true)
        case .aam: try executeASCIIAdjustMultiply(i)
        case .aad: executeASCIIAdjustDivide(i)
        case .xchg: try executeExchange(i)
        case .xadd: try executeExchangeAdd(i)
        case .cmpxchg: try executeCompareExchange(i)
        case .cmpxchg8b: try executeCompareExchangeWide(i)
        // Stack.
        case .push: try executePush(i)
        case .pushSegment: try executePushSegment(i)
        case .pop: try executePop(i)
        case .popSegment: try executePopSegment(i)
        case .pusha: try executePushAll(i)
        case .popa: try executePopAll(i)
        case .pushf: try executePushFlags(i)
        case .popf: try executePopFlags(i)
        case .enter: try executeEnter(i)
        case .leave: try executeLeave(i)
        case .jmp: try executeJump(i)
        case .jcc: try executeConditionalJump(i)
        case .call: try executeCall(i)
        case .ret: try executeReturn(i)
        case .jcxz: try executeJumpIfCountZero(i)
        case .loop: try executeLoop(i, wanted: nil)
        case .loope: try executeLoop(i, wanted: true)
        case .loopne: try executeLoop(i, wanted: false)
        case .movs: try executeMoveString(i)
        case .stos: try executeStoreString(i)
        case .lods: try executeLoadString(i)
        case .cmps: try executeCompareString(i)
        case .scas: try executeScanString(i)
        case .ins: try executeInString(i)
        case .outs: try executeOutString(i)
        case .in: try executeIn(i)
        case .out: try executeOut(i)
        case .clc: pointee.rflags &= ~RFLAGS.cf
        case .stc: pointee.rflags |= RFLAGS.cf
        case .cmc: executeComplementCarry()
        case .cld: pointee.rflags &= ~RFLAGS.df
        case .std: pointee.rflags |= RFLAGS.df
        case .cli: try executeClearInterrupts()
        case .sti: try executeSetInterrupts()
        case .bound: try executeBound(i)
        case .nop, .pause, .lfence, .mfence, .sfence, .prefetch:
            break
        case .clflush, .clflushopt:
            try executeCacheLineFlush(i)
        case .ud0, .ud1, .ud2:
            throw .undefinedOpcode
        case .rsm, .vmcall, .vmmcall, .stac, .clac, .rdrand, .rdseed, .invpcid, .xgetbv, .xsetbv,
            .xsave, .xsavec, .xsaveopt, .xsaves, .xrstor, .xrstors:
            // Undefined outside SMM, or on a processor whose CPUID does not promise them.
            throw .undefinedOpcode
        // System.
        case .int: try executeInterrupt(i)
        case .int3: try softwareInterrupt(vector: Vector.breakpoint)
        case .into: try executeInterruptOnOverflow(i)
        case .int1: try softwareInterrupt(vector: Vector.debug, checked: false)
        case .jmpFar: try executeJumpFar(i)
        case .callFar: try executeCallFar(i)
        case .retFar: try executeReturnFar(i)
        case .iret: try executeInterruptReturn(i)
        case .syscall: try executeSyscall(i)
        case .sysret: try executeSysret(i)
        case .sysenter: try executeSysenter(i)
        case .sysexit: try executeSysexit(i)
        case .swapgs: try executeSwapgs(i)
        case .hlt: try executeHalt(i)
        case .movControl: try executeMoveControl(i)
        case .movDebug: try executeMoveDebug(i)
        case .clts: try executeClearTaskSwitched(i)
        case .lmsw: try executeLoadMachineStatus(i)
        case .smsw: try executeStoreMachineStatus(i)
        case .rdmsr: try executeReadMSR(i)
        case .wrmsr: try executeWriteMSR(i)
        case .rdtsc: try executeReadTimeStamp(i)
        case .rdtscp: try executeReadTimeStampAndAux(i)
        case .rdpmc: try executeReadCounter(i)
        case .cpuid: try executeCPUID(i)
        case .lgdt: try executeLoadTable(i, interrupts: false)
        case .lidt: try executeLoadTable(i, interrupts: true)
        case .sgdt: try executeStoreTable(i, interrupts: false)
        case .sidt: try executeStoreTable(i, interrupts: true)
        case .lldt: try executeLoadLDT(i)
        case .sldt: try executeStoreSelector(i, task: false)
        case .ltr: try executeLoadTask(i)
        case .str: try executeStoreSelector(i, task: true)
        case .lar: try executeLoadAccess(i, limit: false)
        case .lsl: try executeLoadAccess(i, limit: true)
        case .verr: try executeVerify(i, write: false)
        case .verw: try executeVerify(i, write: true)
        case .arpl: try executeAdjustRPL(i)
        case .invlpg: try executeInvalidatePage(i)
        case .invd: try executeCacheFlush(i)
        case .wbinvd: try executeCacheFlush(i)
        case .rdfsbase: try executeReadBase(i, segment: SegmentNumber.fs)
        case .rdgsbase: try executeReadBase(i, segment: SegmentNumber.gs)
        case .wrfsbase: try executeWriteBase(i, segment: SegmentNumber.fs)
        case .wrgsbase: try executeWriteBase(i, segment: SegmentNumber.gs)
        // Vector moves.
        case .movaps, .movapd, .movdqa, .movntps, .movntpd, .movntdq, .movntdqa, .movntq:
            try executeVectorMove(i, aligned: true)
        case .movups, .movupd, .movdqu, .lddqu:
            try executeVectorMove(i, aligned: false)
        case .movd, .movq:
            try executeVectorMoveLow(i)
        case .movss: try executeScalarMove(i, 4)
        case .movsd: try executeScalarMove(i, 8)
        case .movlps, .movlpd, .movhlps:
            try executeMoveToLow(i)
        case .movhps, .movhpd, .movlhps:
            try executeMoveToHigh(i)
        case .movddup: try executeDuplicateLow(i)
        case .movsldup: try executeDuplicateSingles(i, odd: 0)
        case .movshdup: try executeDuplicateSingles(i, odd: 1)
        case .movq2dq, .movdq2q:
            try executeMoveBetweenFiles(i)
        case .movmskps: try executeMoveMask(i, 4)
        case .movmskpd: try executeMoveMask(i, 8)
        case .pmovmskb: try executeMoveMask(i, 1)
        case .maskmovdqu, .maskmovq:
            try executeMaskedStore(i)
        case .pextrb: try executeExtract(i, 1)
        case .pextrw: try executeExtract(i, 2)
        case .pextrd: try executeExtract(i, i.flags.contains(.rexW) ? 8 : 4)
        case .extractps: try executeExtract(i, 4)
        case .pinsrb: try executeInsert(i, 1)
        case .pinsrw: try executeInsert(i, 2)
        case .pinsrd: try executeInsert(i, i.flags.contains(.rexW) ? 8 : 4)
        case .insertps: try executeInsertSingle(i)
        // Vector integer.
        case .pand, .andps, .andpd, .pandn, .andnps, .andnpd, .por, .orps, .orpd, .pxor, .xorps,
            .xorpd, .paddb, .paddw, .paddd, .paddq, .psubb, .psubw, .psubd, .psubq, .paddsb,
            .paddsw, .paddusb, .paddusw, .psubsb, .psubsw, .psubusb, .psubusw, .pcmpeqb,
            .pcmpeqw, .pcmpeqd, .pcmpeqq, .pcmpgtb, .pcmpgtw, .pcmpgtd, .pcmpgtq, .pmaxsb,
            .pmaxsw, .pmaxsd, .pmaxub, .pmaxuw, .pmaxud, .pminsb, .pminsw, .pminsd, .pminub,
            .pminuw, .pminud, .pavgb, .pavgw, .pmullw, .pmulld, .pmulhw, .pmulhuw, .pmulhrsw,
            .pmuludq, .pmuldq, .psignb, .psignw, .psignd, .pabsb, .pabsw, .pabsd:
            try executePackedInteger(i)
        case .pmaddwd: try executeMultiplyAdd(i)
        case .pmaddubsw: try executeMultiplyAddBytes(i)
        case .psadbw: try executeSumOfDifferences(i)
        case .psllw: try executePackedShift(i, 2, .left)
        case .pslld: try executePackedShift(i, 4, .left)
        case .psllq: try executePackedShift(i, 8, .left)
        case .psrlw: try executePackedShift(i, 2, .right)
        case .psrld: try executePackedShift(i, 4, .right)
        case .psrlq: try executePackedShift(i, 8, .right)
        case .psraw: try executePackedShift(i, 2, .arithmeticRight)
        case .psrad: try executePackedShift(i, 4, .arithmeticRight)
        case .pslldq: try executeByteShift(i, left: true)
        case .psrldq: try executeByteShift(i, left: false)
        case .punpcklbw: try executeUnpack(i, 1, high: false)
        case .punpcklwd: try executeUnpack(i, 2, high: false)
        case .punpckldq, .unpcklps:
            try executeUnpack(i, 4, high: false)
        case .punpcklqdq, .unpcklpd:
            try executeUnpack(i, 8, high: false)
        case .punpckhbw: try executeUnpack(i, 1, high: true)
        case .punpckhwd: try executeUnpack(i, 2, high: true)
        case .punpckhdq, .unpckhps:
            try executeUnpack(i, 4, high: true)
        case .punpckhqdq, .unpckhpd:
            try executeUnpack(i, 8, high: true)
        case .packsswb: try executePack(i, Int8.self)
        case .packssdw: try executePack(i, Int16.self)
        case .packuswb: try executePack(i, UInt8.self)
        case .packusdw: try executePack(i, UInt16.self)
        case .pshufd: try executeShuffle(i, 4, first: 0)
        case .pshufw, .pshuflw:
            try executeShuffle(i, 2, first: 0)
        case .pshufhw: try executeShuffle(i, 2, first: 4)
        case .shufps: try executeShuffleSingles(i)
        case .shufpd: try executeShuffleDoubles(i)
        case .pshufb: try executeShuffleBytes(i)
        case .palignr: try executeAlign(i)
        case .phaddw: try executeHorizontal(i, UInt16.self) { $0 &+ $1 }
        case .phaddd: try executeHorizontal(i, UInt32.self) { $0 &+ $1 }
        case .phaddsw: try executeHorizontal(i, Int16.self) { Lanes.addSaturating($0, $1) }
        case .phsubw: try executeHorizontal(i, UInt16.self) { $0 &- $1 }
        case .phsubd: try executeHorizontal(i, UInt32.self) { $0 &- $1 }
        case .phsubsw: try executeHorizontal(i, Int16.self) { Lanes.subtractSaturating($0, $1) }
        case .pmovsxbw: try executeWiden(i, from: 1, to: 2, signed: true)
        case .pmovsxbd: try executeWiden(i, from: 1, to: 4, signed: true)
        case .pmovsxbq: try executeWiden(i, from: 1, to: 8, signed: true)
        case .pmovsxwd: try executeWiden(i, from: 2, to: 4, signed: true)
        case .pmovsxwq: try executeWiden(i, from: 2, to: 8, signed: true)
        case .pmovsxdq: try executeWiden(i, from: 4, to: 8, signed: true)
        case .pmovzxbw: try executeWiden(i, from: 1, to: 2, signed: false)
        case .pmovzxbd: try executeWiden(i, from: 1, to: 4, signed: false)
        case .pmovzxbq: try executeWiden(i, from: 1, to: 8, signed: false)
        case .pmovzxwd: try executeWiden(i, from: 2, to: 4, signed: false)
        case .pmovzxwq: try executeWiden(i, from: 2, to: 8, signed: false)
        case .pmovzxdq: try executeWiden(i, from: 4, to: 8, signed: false)
        case .blendps: try executeBlend(i, 4)
        case .blendpd: try executeBlend(i, 8)
        case .pblendw: try executeBlend(i, 2)
        case .blendvps: try executeBlendVariable(i, 4)
        case .blendvpd: try executeBlendVariable(i, 8)
        case .pblendvb: try executeBlendVariable(i, 1)
        case .ptest: try executeVectorTest(i)
        case .phminposuw: try executeHorizontalMinimum(i)
        // Control and state.
        case .fninit: try executeInitialiseX87()
        case .fnclex: try executeClearX87Exceptions()
        case .fnop: try executeX87Nothing()
        case .fldcw: try executeLoadX87Control(i)
        case .fnstcw: try executeStoreX87Control(i)
        case .fnstsw: try executeStoreX87Status(i)
        case .fwait: try executeWaitX87()
        case .emms: try executeEmptyMMX()
        case .ldmxcsr: try executeLoadMXCSR(i)
        case .stmxcsr: try executeStoreMXCSR(i)
        case .fxsave: try executeSaveState(i)
        case .fxrstor: try executeRestoreState(i)
        // Known to the opcode table, not executable: the run ends with the name.
        case .addpd, .addps, .addsd, .addss, .addsubpd, .addsubps, .cmppd, .cmpps, .cmpsd,
            .cmpss, .comisd, .comiss, .cvtdq2pd, .cvtdq2ps, .cvtpd2dq, .cvtpd2pi, .cvtpd2ps,
            .cvtpi2pd, .cvtpi2ps, .cvtps2dq, .cvtps2pd, .cvtps2pi, .cvtsd2si, .cvtsd2ss,
            .cvtsi2sd, .cvtsi2ss, .cvtss2sd, .cvtss2si, .cvttpd2dq, .cvttpd2pi, .cvttps2dq,
            .cvttps2pi, .cvttsd2si, .cvttss2si, .divpd, .divps, .divsd, .divss, .dppd, .dpps,
            .f2xm1, .fabs, .fadd, .faddp, .fbld, .fbstp, .fchs, .fcmovcc, .fcom, .fcomi, .fcomip,
            .fcomp, .fcompp, .fcos, .fdecstp, .fdiv, .fdivp, .fdivr, .fdivrp, .ffree, .ffreep,
            .fiadd, .ficom, .ficomp, .fidiv, .fidivr, .fild, .fimul, .fincstp, .fist, .fistp,
            .fisttp, .fisub, .fisubr, .fld, .fld1, .fldenv, .fldl2e, .fldl2t, .fldlg2, .fldln2,
            .fldpi, .fldz, .fmul, .fmulp, .fnsave, .fnstenv, .fpatan, .fprem, .fprem1, .fptan,
            .frndint, .frstor, .fscale, .fsin, .fsincos, .fsqrt, .fst, .fstp, .fsub, .fsubp,
            .fsubr, .fsubrp, .ftst, .fucom, .fucomi, .fucomip, .fucomp, .fucompp, .fxam, .fxch,
            .fxtract, .fyl2x, .fyl2xp1, .haddpd, .haddps, .hsubpd, .hsubps, .maxpd, .maxps,
            .maxsd, .maxss, .minpd, .minps, .minsd, .minss, .monitor, .mpsadbw, .mulpd, .mulps,
            .mulsd, .mulss, .mwait, .pcmpestri, .pcmpestrm, .pcmpistri, .pcmpistrm, .rcpps,
            .rcpss, .roundpd, .roundps, .roundsd, .roundss, .rsqrtps, .rsqrtss, .sqrtpd, .sqrtps,
            .sqrtsd, .sqrtss, .subpd, .subps, .subsd, .subss, .ucomisd, .ucomiss:
            throw .notExecutable
        }
    }
}
