import Testing
import X86

@testable import Machine

/// One way of delivering an event in 64-bit mode, and what the Intel SDM (vol. 2, INT n; vol. 3,
/// 6.14) says comes of it, check by check.
struct DeliveryCase: CustomStringConvertible {
    var beyondIDT: Bool
    var type: UInt64
    var dpl: UInt64
    var present: Bool
    var segment: Segment
    var software: Bool
    var cpl: UInt8
    var stack: Stack

    /// Code segments by what is wrong with them; the bench puts each at its own selector.
    enum Segment: UInt64, CaseIterable {
        case good = 0x10
        case goodWithRPL = 0x13
        case null = 0
        case nullWithRPL = 3
        case data = 0x18
        case outer = 0x30
        case compatibility = 0x38
        case beyond = 0x88
        case inNullLDT = 0x14
        case absent = 0x58
        case conforming = 0x60
        case longAndBig = 0x68
        case system = 0x70
    }

    enum Stack: CaseIterable {
        case plain
        case ist
        case istNotCanonical
        case shortTSS
        case istShortTSS
    }

    static let vector = 0x50

    /// The fault, or nil and the case is delivered.
    var fault: Bench.Raised? {
        let ext: UInt64 = software ? 0 : 1
        let gateCode = UInt64(Self.vector) * 8 + 2 + ext
        if beyondIDT { return .gp(gateCode) }
        if type != 0xE && type != 0xF { return .gp(gateCode) }
        if software && dpl < UInt64(cpl) { return .gp(gateCode) }
        if !present { return .np(gateCode) }
        let segmentCode = (segment.rawValue / 4 * 4) + ext
        switch segment {
        case .null, .nullWithRPL: return .gp(ext)
        case .data, .beyond, .inNullLDT, .compatibility, .longAndBig, .system:
            return .gp(segmentCode)
        case .outer where cpl < 3: return .gp(segmentCode)
        case .absent: return .np(segmentCode)
        case .good, .goodWithRPL, .outer, .conforming: break
        }
        switch stack {
        case .plain, .ist: return nil
        case .istNotCanonical: return .ss(ext)
        case .istShortTSS: return .ts(0x40 + ext)
        case .shortTSS: return handlerCPL < cpl ? .ts(0x40 + ext) : nil
        }
    }

    var handlerCPL: UInt8 {
        switch segment {
        case .outer: 3
        case .conforming: cpl
        default: 0
        }
    }

    /// RSP before the frame is pushed.
    var stackTop: UInt64 {
        switch stack {
        case .ist: Bench.ist + 3 * 0x1000
        case _ where handlerCPL < cpl: Bench.rsp0
        default: (cpl == 0 ? Bench.kernelStack : Bench.userStack) - 8
        }
    }

    var description: String {
        "type \(type) dpl \(dpl) present \(present) \(segment) software \(software) cpl \(cpl) "
            + "\(stack) beyond \(beyondIDT)"
    }
}

@Suite("Delivery in 64-bit mode")
struct DeliveryMatrixTests {
    private func prepare(_ bench: Bench, _ test: DeliveryCase) {
        let cpu = bench.cpu
        bench.enter(cpl: test.cpl)
        cpu.pointee.rsp -= 8
        cpu.pointee.rflags =
            RFLAGS.fixedOne | RFLAGS.interruptEnable | RFLAGS.tf | RFLAGS.nt | RFLAGS.cf
            | RFLAGS.ac
        cpu.pointee.idtr.limit =
            UInt16(DeliveryCase.vector * 16) + (test.beyondIDT ? 14 : 15)
        let ist = test.stack == .plain || test.stack == .shortTSS ? 0 : 3 as UInt64
        bench.gate(
            DeliveryCase.vector, type: test.type, dpl: test.dpl, present: test.present,
            selector: test.segment.rawValue, ist: ist)
        let notCanonical = test.stack == .istNotCanonical
        bench.write(
            Bench.tss + 28 + 3 * 8, notCanonical ? 1 << 62 : Bench.ist + 3 * 0x1000)
        switch test.stack {
        case .shortTSS: cpu.pointee.tr.limit = 10
        case .istShortTSS: cpu.pointee.tr.limit = 28 + 3 * 8 + 6
        default: cpu.pointee.tr.limit = 0x67
        }
        bench.write(Bench.gdt + 0x58, 0x00AF_1A00_0000_FFFF)
        bench.write(Bench.gdt + 0x60, 0x00AF_9E00_0000_FFFF)
        bench.write(Bench.gdt + 0x68, 0x00EF_9A00_0000_FFFF)
        bench.write(Bench.gdt + 0x70, 0x00AF_8A00_0000_FFFF)
    }

    /// What is wrong with what happened, or nil.
    private func problem(_ bench: Bench, _ test: DeliveryCase) -> String? {
        let cpu = bench.cpu
        let before = cpu.pointee
        var delivery = Delivery(
            vector: UInt8(DeliveryCase.vector), hasErrorCode: true, errorCode: 0xABC,
            savedRFLAGS: before.rflags)
        delivery.software = test.software
        delivery.ext = test.software ? 0 : 1
        do throws(Fault) {
            try cpu.enter(delivery)
        } catch {
            let unchanged =
                cpu.pointee.rip == before.rip && cpu.pointee.rsp == before.rsp
                && cpu.pointee.rflags == before.rflags && cpu.pointee.cs == before.cs
                && cpu.pointee.ss == before.ss && cpu.pointee.cpl == before.cpl
            let raised = Bench.Raised(error)
            if raised != test.fault { return "raised \(raised), expected \(test.fault as Any)" }
            return unchanged ? nil : "state changed by a fault"
        }
        if let fault = test.fault { return "delivered, expected \(fault)" }
        let top = test.stackTop & ~15
        let frame = (0..<6).map { bench.read(top - 48 + $0 * 8) }
        let expected: [UInt64] = [
            0xABC, before.rip, UInt64(before.cs.selector), before.rflags, before.rsp,
            UInt64(before.ss.selector),
        ]
        if frame != expected { return "frame \(frame), expected \(expected)" }
        if cpu.pointee.rsp != top - 48 { return "rsp" }
        if cpu.pointee.rip != Bench.handler(DeliveryCase.vector) { return "rip" }
        if cpu.pointee.cpl != test.handlerCPL { return "cpl" }
        let selector = UInt16(test.segment.rawValue / 4 * 4) | UInt16(test.handlerCPL)
        if cpu.pointee.cs.selector != selector { return "cs" }
        if cpu.pointee.cs.attributes & 1 == 0 { return "accessed bit of cs" }
        if bench.read(Bench.gdt + test.segment.rawValue / 8 * 8 + 5, size: 1) & 1 == 0 {
            return "accessed bit in the table"
        }
        let newSS = test.handlerCPL < test.cpl ? 0 : before.ss.selector
        if cpu.pointee.ss.selector != newSS { return "ss" }
        var flags = RFLAGS.fixedOne | RFLAGS.cf | RFLAGS.ac
        if test.type == 0xF { flags |= RFLAGS.interruptEnable }
        if cpu.pointee.rflags != flags { return "rflags" }
        return nil
    }

    @Test("every gate, segment and stack", arguments: [0, 3] as [UInt8])
    func matrix(cpl: UInt8) throws {
        let bench = try Bench()
        var delivered = 0
        var faulted = 0
        for type in [0, 1, 5, 6, 0xC, 0xD, 0xE, 0xF, 0x1E] as [UInt64] {
            for bits in 0..<16 {
                for segment in DeliveryCase.Segment.allCases {
                    for stack in DeliveryCase.Stack.allCases {
                        let test = DeliveryCase(
                            beyondIDT: bits & 1 != 0, type: type, dpl: bits & 2 != 0 ? 3 : 0,
                            present: bits & 4 == 0, segment: segment,
                            software: bits & 8 != 0, cpl: cpl, stack: stack)
                        prepare(bench, test)
                        if let problem = problem(bench, test) {
                            Issue.record("\(problem): \(test)")
                            return
                        }
                        if test.fault == nil { delivered += 1 } else { faulted += 1 }
                    }
                }
            }
        }
        #expect(delivered > 50 && faulted > 5000)
    }

    @Test("a trap gate keeps IF, an interrupt gate clears it, and IRETQ restores both")
    func thereAndBack() throws {
        let bench = try Bench(cpl: 3)
        bench.gate(0x50, type: 0xF, dpl: 3)
        bench.place([0x48, 0xCF], at: Bench.handler(0x50))
        bench.assemble([0xCD, 0x50])
        bench.cpu.pointee.rflags |= RFLAGS.interruptEnable | RFLAGS.zf
        let before = bench.cpu.pointee
        #expect(bench.step() == .retired)
        #expect(bench.vectorEntered == 0x50)
        #expect(bench.cpu.pointee.cpl == 0)
        #expect(bench.cpu.pointee.rflags & RFLAGS.interruptEnable != 0)
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == before.rip + 2)
        #expect(bench.cpu.pointee.rsp == before.rsp)
        #expect(bench.cpu.pointee.rflags == before.rflags)
        #expect(bench.cpu.pointee.cpl == 3)
        #expect(bench.cpu.pointee.ss.selector == 0x2B)
        #expect(bench.cpu.pointee.instructions == before.instructions + 2)
    }

    @Test("INT n through gates of DPL 0 at CPL 3 (measured on a processor)")
    func softwareInterruptPrivilege() throws {
        for (vector, code) in [(0x1F, 0xFA), (2, 0x12), (0xFF, 0x7FA)] as [(UInt8, UInt64)] {
            let bench = try Bench(cpl: 3)
            #expect(bench.fault(of: [0xCD, vector]) == .gp(code))
        }
    }

    @Test("a fault's saved RFLAGS has RF set, an interrupt's has not")
    func resumeFlag() throws {
        let bench = try Bench()
        #expect(bench.fault(of: [0x0F, 0x0B]) == .ud)
        #expect(bench.stack(2) & RFLAGS.rf != 0)
        bench.enter(cpl: 0)
        bench.cpu.pointee.rflags |= RFLAGS.interruptEnable
        bench.cpu.deliverInterrupt(vector: 0x60)
        #expect(bench.stack(2) & RFLAGS.rf == 0)
        #expect(bench.cpu.pointee.rflags & RFLAGS.interruptEnable == 0)
    }

    @Test("a frame that crosses into a read-only page changes nothing")
    func frameFault() throws {
        let bench = try Bench()
        // 4 KiB pages for the region of the kernel stack, the lower one absent.
        let rights = PageEntry.present | PageEntry.writable
        let table: UInt64 = 0x9_1000
        for n in 0..<512 as Range<UInt64> { bench.write(table + n * 8, n << 12 | rights) }
        bench.write(table + (Bench.kernelStack - 0x1000) / 4096 * 8, 0)
        bench.write(0x4000, table | rights)
        bench.cpu.flushTLB()
        bench.cpu.pointee.rsp = Bench.kernelStack + 16
        bench.gate(14, ist: 1)
        bench.assemble([0x0F, 0x0B])
        #expect(bench.step() == .faulted)
        // #UD is benign, the #PF that its delivery met is delivered in its place.
        #expect(bench.vectorEntered == 14)
        #expect(bench.stack(0) == 2)
        #expect(bench.cpu.pointee.cr2 == Bench.kernelStack - 8)
        #expect(bench.read(Bench.kernelStack) == 0)
    }
}
