import Testing
import X86

@testable import Machine

@Suite("Segment checks outside 64-bit mode")
struct SegmentationTests {
    private func protected() throws -> Bench {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.cr0 = CR0.pe | CR0.et
        cpu.pointee.efer = 0
        cpu.pointee.longMode = 0
        cpu.pointee.cs = bench.register(0x08)
        cpu.pointee.ss = bench.register(0x18)
        cpu.updateCodeSize()
        cpu.flushTLB()
        return bench
    }

    /// Independent of the code under test: which offsets a data segment permits.
    private func permits(
        _ limit: UInt64, expandDown: Bool, big: Bool, _ offset: UInt64, _ size: UInt64
    ) -> Bool {
        for at in offset..<offset + size {
            if expandDown {
                if at <= limit || at > (big ? 0xFFFF_FFFF : 0xFFFF) { return false }
            } else if at > limit {
                return false
            }
        }
        return true
    }

    @Test("limits, both ways, at every edge")
    func limits() throws {
        let bench = try protected()
        var outcomes = [0, 0]
        for limit in [0, 1, 0xFFF, 0xFFFE, 0xFFFF] as [UInt64] {
            for kind in 0..<4 {
                let expandDown = kind & 1 != 0
                let big = kind & 2 != 0
                var segment = SegmentRegister()
                segment.base = 0x1000
                segment.limit = UInt32(limit)
                segment.attributes = 0x93 | (expandDown ? 4 : 0) | (big ? 1 << 14 : 0)
                bench.cpu.pointee.ds = segment
                for edge in [0, limit, 0xFFFF, 0xFFFF_FFFF] as [UInt64] {
                    for delta in -9...9 as ClosedRange<Int64> {
                        let offset = UInt64(bitPattern: Int64(edge) + delta) & 0xFFFF_FFFF
                        for size in [1, 2, 4, 8] {
                            let expected = permits(
                                limit, expandDown: expandDown, big: big, offset, UInt64(size))
                            var got = true
                            do throws(Fault) {
                                let a = try bench.cpu.linear(
                                    segment: 3, offset: offset, size: size, write: true)
                                #expect(a == (0x1000 + offset) & 0xFFFF_FFFF)
                            } catch {
                                got = false
                                #expect(error == .generalProtection(0))
                            }
                            if got != expected {
                                Issue.record("limit \(limit) kind \(kind) at \(offset)+\(size)")
                            }
                            outcomes[got ? 1 : 0] += 1
                        }
                    }
                }
            }
        }
        #expect(outcomes[0] > 100 && outcomes[1] > 100)
    }

    @Test("types: what may be read and written")
    func types() throws {
        let bench = try protected()
        for type in 0..<16 as Range<UInt16> {
            var segment = SegmentRegister()
            segment.limit = type & 0xC == 4 ? 0 : 0xFFFF
            segment.attributes = 0x90 | type | 1 << 14
            bench.cpu.pointee.ds = segment
            let readable = type < 8 || type & 2 != 0
            let writable = type < 8 && type & 2 != 0
            for write in [false, true] {
                var allowed = true
                do throws(Fault) {
                    _ = try bench.cpu.linear(segment: 3, offset: 0x100, size: 4, write: write)
                } catch {
                    allowed = false
                }
                #expect(allowed == (write ? writable : readable), "type \(type)")
            }
        }
        bench.cpu.pointee.rax = 0
        bench.assemble([0x8E, 0xD8])
        #expect(bench.step() == .retired)
        #expect(throws: Fault.generalProtection(0)) {
            _ = try bench.cpu.linear(segment: 3, offset: 0, size: 1, write: false)
        }
        bench.cpu.pointee.ss.limit = 0xFF
        #expect(throws: Fault.stackFault(0)) {
            _ = try bench.cpu.linear(segment: 2, offset: 0x100, size: 1, write: false)
        }
    }

    /// All descriptor types, privileges and presence against the text of MOV in the SDM.
    @Test("loading DS and SS from every kind of descriptor", arguments: [0, 3] as [UInt8])
    func loading(cpl: UInt8) throws {
        let bench = try Bench(cpl: cpl)
        var loads = 0
        for bits in 0..<256 as Range<UInt64> {
            for rpl in 0..<4 as Range<UInt16> {
                bench.write(Bench.gdt + 0x58, 0x00CF_0000_0000_FFFF | bits << 40)
                let selector = 0x58 | rpl
                let type = bits & 15
                let isSegment = bits & 16 != 0
                let dpl = UInt8(bits >> 5 & 3)
                let present = bits & 128 != 0
                let isData = isSegment && type < 8
                var data: Fault?
                let isReadableCode = isSegment && type >= 8 && type & 2 != 0
                let conforming = isReadableCode && type & 4 != 0
                if !isData && !isReadableCode
                    || !conforming && (UInt8(rpl) > dpl || cpl > dpl)
                {
                    data = .generalProtection(0x58)
                } else if !present {
                    data = .segmentNotPresent(0x58)
                }
                var stack: Fault?
                if UInt8(rpl) != cpl || dpl != cpl || !isData || type & 2 == 0 {
                    stack = .generalProtection(0x58)
                } else if !present {
                    stack = .stackFault(0x58)
                }
                for (n, expected) in [(3, data), (2, stack)] {
                    bench.write(Bench.gdt + 0x58, 0x00CF_0000_0000_FFFF | bits << 40)
                    var got: Fault?
                    do throws(Fault) {
                        try bench.cpu.loadSegment(n, selector: selector)
                        loads += 1
                        #expect(bench.cpu.segments[n].selector == selector)
                        #expect(bench.read(Bench.gdt + 0x5D, size: 1) == bits | 1)
                    } catch {
                        got = error
                    }
                    #expect(got == expected, "segment \(n), byte \(bits), rpl \(rpl)")
                }
            }
        }
        #expect(loads > 20)
    }

    @Test("a null SS is for CPL 0 in 64-bit mode, with RPL 0")
    func nullStack() throws {
        let bench = try Bench()
        try bench.cpu.loadSegment(2, selector: 0)
        #expect(bench.cpu.pointee.ss.selector == 0)
        try bench.cpu.push(0x55, size: 8)
        #expect(throws: Fault.generalProtection(0)) {
            try bench.cpu.loadSegment(2, selector: 3)
        }
        bench.enter(cpl: 3)
        #expect(throws: Fault.generalProtection(0)) {
            try bench.cpu.loadSegment(2, selector: 3)
        }
    }

    @Test("the accessed bit goes to a read-only table: #PF of a supervisor's write")
    func readOnlyTable() throws {
        let bench = try Bench(cpl: 3)
        let rights = PageEntry.present | PageEntry.user
        let table: UInt64 = 0x9_5000
        for n in 0..<512 as Range<UInt64> {
            bench.write(table + n * 8, n << 12 | rights | (n == 5 ? 0 : PageEntry.writable))
        }
        bench.write(0x4000, table | rights | PageEntry.writable)
        bench.cpu.flushTLB()
        #expect(throws: Fault.pageFault(Bench.gdt + 0x2D, 3)) {
            try bench.cpu.loadSegment(3, selector: 0x2B)
        }
        bench.write(Bench.gdt + 0x2D, 0xF3, size: 1)
        try bench.cpu.loadSegment(3, selector: 0x2B)
    }
}

@Suite("Far transfers")
struct SegmentationTransferTests {
    /// Executes CALL or JMP m16:64 through memory at `Bench.data`.
    private func transfer(
        _ bench: Bench, _ selector: UInt64, _ offset: UInt64, call: Bool = true
    ) -> StepResult {
        bench.write(Bench.data, offset)
        bench.write(Bench.data + 8, selector, size: 2)
        bench.cpu.pointee.rax = Bench.data
        bench.assemble([0x48, 0xFF, call ? 0x18 : 0x28])
        return bench.step()
    }

    @Test("CALL and RET far within 64-bit code and into compatibility mode")
    func sameLevel() throws {
        let bench = try Bench()
        #expect(transfer(bench, 0x10, Bench.code + 0x200) == .retired)
        #expect(bench.cpu.pointee.rip == Bench.code + 0x200)
        #expect(bench.stack(0) == Bench.code + 3 && bench.stack(1) == 0x10)
        bench.assemble([0x48, 0xCB])
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.rip == Bench.code + 3)
        #expect(bench.cpu.pointee.rsp == Bench.kernelStack)
        #expect(transfer(bench, 0x08, Bench.code + 0x200, call: false) == .retired)
        #expect(bench.cpu.pointee.codeSize == 4)
    }

    /// AMD's measured on such a processor: CALL pushed two words of 8 bytes.
    @Test("REX.W: a 64-bit offset on Intel, 32 on AMD", arguments: Vendor.allCases)
    func wideFarPointer(vendor: Vendor) throws {
        let bench = try Bench(vendor: vendor)
        let cpu = bench.cpu
        // 18:0010_1234 as m16:32; as m16:64 the selector is 0x10 and the offset has 0018 in it.
        bench.write(Bench.data, 0x0018_0010_1234)
        bench.write(Bench.data + 8, 0x10, size: 2)
        cpu.pointee.rbx = Bench.data
        bench.assemble([0x48, 0x0F, 0xB4, 0x03])
        cpu.pointee.rax = .max
        if vendor == .amd {
            #expect(bench.step() == .retired)
            #expect(cpu.pointee.rax == 0x10_1234 && cpu.pointee.fs.selector == 0x18)
            bench.write(Bench.data, 0x10_0000_2000)
        } else {
            #expect(bench.step() == .retired)
            #expect(cpu.pointee.rax == 0x18_0010_1234 && cpu.pointee.fs.selector == 0x10)
            bench.write(Bench.data, 0x2000)
        }
        bench.assemble([0x48, 0xFF, 0x1B])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rip == 0x2000 && cpu.pointee.cs.selector == 0x10)
        #expect(cpu.pointee.rsp == Bench.kernelStack - 16)
        #expect(bench.stack(0) == Bench.code + 3 && bench.stack(1) == 0x10)
    }

    /// As measured on a processor of AMD's.
    @Test("a far pointer's offset is read before its selector is looked at", arguments: 0..<4)
    func farPointerAcrossTheEnd(distance: UInt64) throws {
        for code in [[0x0F, 0xB4, 0x03], [0xFF, 0x2B], [0xFF, 0x1B]] as [[UInt8]] {
            let bench = try Bench()
            bench.cpu.pointee.rbx = (1 << 47) - 2 - distance * 2
            let fits = distance > 0
            #expect(bench.fault(of: code) == (fits ? .pf(0) : .gp(0)))
        }
    }

    @Test("SGDT and LGDT fault by the limit's page before the base is looked at")
    func tableAcrossTheEnd() throws {
        let codes: [([UInt8], UInt64)] = [([0x0F, 0x01, 0x03], 2), ([0x0F, 0x01, 0x13], 0)]
        for (code, error) in codes {
            for (distance, fits) in [(4, true), (2, true), (1, false)] as [(UInt64, Bool)] {
                let bench = try Bench()
                bench.cpu.pointee.rbx = (1 << 47) - distance
                #expect(bench.fault(of: code) == (fits ? .pf(error) : .gp(0)))
            }
        }
    }

    /// As measured on a processor of AMD's, at CPL 3, with RETFQ and with IRETQ.
    @Test("a return into compatibility mode beyond 4 GiB is #GP", arguments: [false, true])
    func farOffset(isInterrupt: Bool) throws {
        let bench = try Bench()
        let frame = [1 << 32 | Bench.code, 0x08, RFLAGS.fixedOne, Bench.kernelStack, 0x18]
        bench.cpu.pointee.rsp -= 40
        for (n, word) in frame.enumerated() {
            bench.write(bench.cpu.pointee.rsp + UInt64(n) * 8, word)
        }
        #expect(bench.fault(of: [0x48, isInterrupt ? 0xCF : 0xCB]) == .gp(0))
    }

    @Test("RET far outward pops the stack and releases parameters on both")
    func outward() throws {
        let bench = try Bench()
        bench.cpu.pointee.rsp -= 48
        for (n, word) in [Bench.code + 0x40, 0x33, 0xAA, 0xBB, Bench.userStack, 0x2B].enumerated() {
            bench.write(bench.cpu.pointee.rsp + UInt64(n) * 8, word)
        }
        bench.assemble([0x48, 0xCA, 0x10, 0x00])
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.cpl == 3)
        #expect(bench.cpu.pointee.rip == Bench.code + 0x40)
        #expect(bench.cpu.pointee.rsp == Bench.userStack + 16)
        #expect(bench.cpu.pointee.ss.selector == 0x2B)
    }

    @Test("wrong targets of JMP far")
    func wrongTargets() throws {
        let cases: [(UInt64, UInt64, Bench.Raised)] = [
            (0, 0, .gp(0)), (0x18, 0, .gp(0x18)), (0x33, 0, .gp(0x30)),
            (0x13, 0, .gp(0x10)), (0x88, 0, .gp(0x88)), (0x40, 0, .gp(0x40)),
            (0x58, 0, .np(0x58)), (0x10, 0x8000_0000_0000, .gp(0)), (0x08, 1 << 32, .gp(0)),
        ]
        for (selector, offset, expected) in cases {
            let bench = try Bench()
            bench.write(Bench.gdt + 0x58, 0x00AF_1A00_0000_FFFF)
            #expect(transfer(bench, selector, offset, call: false) == .faulted)
            #expect(bench.vectorEntered == expected.vector)
            #expect(bench.stack(0) == expected.code)
            #expect(bench.stack(1) == Bench.code)
        }
    }

    @Test("a 64-bit call gate goes inward on RSP0 and RET far comes back")
    func callGate() throws {
        let bench = try Bench(cpl: 3)
        let target = Bench.handlers + 0x2000
        bench.write(
            Bench.gdt + 0x50,
            target & 0xFFFF | 0x10 << 16 | 0xEC << 40 | (target >> 16 & 0xFFFF) << 48)
        bench.write(Bench.gdt + 0x58, 0)
        #expect(transfer(bench, 0x53, 0x1234) == .retired)
        #expect(bench.cpu.pointee.rip == target)
        #expect(bench.cpu.pointee.cpl == 0 && bench.cpu.pointee.ss.selector == 0)
        #expect(bench.cpu.pointee.rsp == Bench.rsp0 - 32)
        #expect((0..<4).map { bench.stack($0) } == [Bench.code + 3, 0x33, Bench.userStack, 0x2B])
        bench.assemble([0x48, 0xCB])
        #expect(bench.step() == .retired)
        #expect(bench.cpu.pointee.cpl == 3 && bench.cpu.pointee.rsp == Bench.userStack)
        #expect(transfer(bench, 0x53, 0, call: false) == .faulted)
        #expect(bench.stack(0) == 0x10)
    }

    @Test("a 32-bit call gate copies its parameters to the inner stack")
    func parameters() throws {
        let bench = try Bench()
        let cpu = bench.cpu
        cpu.pointee.cr0 = CR0.pe | CR0.et
        cpu.pointee.efer = 0
        cpu.pointee.longMode = 0
        cpu.pointee.cs = bench.register(0x23)
        cpu.pointee.ss = bench.register(0x2B)
        cpu.setCPL(3)
        cpu.updateCodeSize()
        cpu.flushTLB()
        cpu.pointee.tr.attributes = 0x8B
        bench.write(Bench.tss + 4, Bench.rsp0, size: 4)
        bench.write(Bench.tss + 8, 0x18, size: 4)
        bench.write(Bench.gdt + 0x50, 0x2000 | 0x08 << 16 | 2 << 32 | 0xEC << 40)
        cpu.pointee.rsp = Bench.userStack - 8
        bench.write(Bench.userStack - 8, 0x2222_2222_1111_1111)
        bench.assemble([0x9A, 0, 0, 0, 0, 0x53, 0])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.rip == 0x2000 && cpu.pointee.cpl == 0)
        let frame = (0..<6).map { bench.read(cpu.pointee.rsp + $0 * 4, size: 4) }
        #expect(
            frame == [
                Bench.code + 7, 0x23, 0x1111_1111, 0x2222_2222, Bench.userStack - 8, 0x2B,
            ])
        bench.assemble([0xCA, 8, 0])
        #expect(bench.step() == .retired)
        #expect(cpu.pointee.cpl == 3 && cpu.pointee.rsp == Bench.userStack)
    }
}
