import X86

/// What RET far and IRET have in common: the checks of the segments returned to, and the change to
/// an outer privilege (Intel SDM vol. 2, RET and IRET).
extension CPU {
    /// The code segment returned to. #GP(0) for null, #GP(selector) for wrong kinds and privileges,
    /// #NP when not present.
    @inline(__always)
    func returnCodeSegment(_ selector: UInt16) throws(Fault) -> Descriptor {
        let error = UInt32(selector & 0xFFFC)
        if error == 0 { throw .generalProtection(0) }
        let code = try readDescriptor(selector)
        let rpl = UInt8(selector & 3)
        let wrongDPL = code.isConforming ? code.dpl > rpl : code.dpl != rpl
        if !code.isCode || rpl < pointee.cpl || wrongDPL { throw .generalProtection(error) }
        if pointee.longMode != 0 && code.long && code.big { throw .generalProtection(error) }
        if !code.present { throw .segmentNotPresent(error) }
        return code
    }

    /// #GP(0) unless `rip` lies in the code segment: canonical for 64-bit code, else within the
    /// limit.
    @inline(__always)
    func checkTarget(_ rip: UInt64, in code: Descriptor) throws(Fault) {
        let inside =
            pointee.longMode != 0 && code.long ? isCanonical(rip) : rip <= UInt64(code.limit)
        if !inside { throw .generalProtection(0) }
    }

    /// Makes `code` the current code segment at the privilege of the selector's RPL.
    @inline(__always)
    func enterSegment(_ code: Descriptor, _ selector: UInt16, rip: UInt64) {
        pointee.cs = code.register(selector)
        setCPL(UInt8(selector & 3))
        updateCodeSize()
        updateAlignment()
        pointee.rip = rip
    }

    /// On a return outward, data segments that the new privilege may not use become null (their
    /// hidden DPL is below it), and null selectors lose their RPL. Only the selector is loaded:
    /// bases stay, which 64-bit code sees in FS and GS.
    @inline(__always)
    func dropInnerSegments() {
        dropInnerSegment(Int(SegmentNumber.es))
        dropInnerSegment(Int(SegmentNumber.ds))
        dropInnerSegment(Int(SegmentNumber.fs))
        dropInnerSegment(Int(SegmentNumber.gs))
    }

    @inline(__always)
    private func dropInnerSegment(_ n: Int) {
        let attributes = segments[n].attributes
        if attributes & SegmentRegister.unusable == 0 {
            let conformingCode = attributes & 0xC == 0xC
            if conformingCode || segments[n].dpl >= pointee.cpl { return }
        }
        segments[n].selector = 0
        segments[n].attributes |= SegmentRegister.unusable
    }

    /// Makes attention follow TF and RF: while either is set instructions are stepped singly. To
    /// be called by whatever may set one of them.
    @inline(__always)
    func updateStepping() {
        if pointee.rflags & (RFLAGS.tf | RFLAGS.rf) != 0 {
            pointee.attention |= Attention.singleStep
        } else {
            pointee.attention &= ~Attention.singleStep
        }
        updateAlignment()
    }

    /// Makes attention follow CPL, CR0.AM and RFLAGS.AC, and what AC permits end with it. To be
    /// called where CPL or AC changes.
    @inline(__always)
    func updateAlignment() {
        if pointee.relaxedPages != 0 && pointee.rflags & RFLAGS.ac == 0 { forgetRelaxedPages() }
        if pointee.rflags & RFLAGS.ac != 0 && pointee.cpl == 3 && pointee.cr0 & CR0.am != 0 {
            pointee.attention |= Attention.alignment
        } else {
            pointee.attention &= ~Attention.alignment
        }
    }
}
