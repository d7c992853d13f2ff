import Testing
import Trace

@testable import Report

@Suite struct SymbolTests {
    static func table(_ version: Int, contexts: [Context] = [.hostKernel]) throws -> SymbolTable {
        var table = SymbolTable()
        table.add(
            image: try Files.bytes("Fixtures/sample-dwarf\(version).elf"), name: "sample",
            contexts: contexts)
        return table
    }

    /// The same line as LLVM's symbolizer for every byte of code. Where it says line 0 (code of no
    /// line) ours is the nearest line before.
    @Test(arguments: [3, 4, 5]) func linesAgreeWithAnotherReader(version: Int) throws {
        let table = try Self.table(version)
        #expect(table.faults.isEmpty)
        var compared = 0
        for line in try Files.text("Fixtures/sample-dwarf\(version).txt").split(separator: "\n") {
            let fields = line.split(separator: "\t")
            let address = try #require(UInt64(fields[0].dropFirst(2), radix: 16))
            if fields[2].hasSuffix(":0") || fields[2].hasSuffix(":?") { continue }
            #expect(table.lookup(address)?.source == String(fields[2]), "\(fields[0])")
            compared += 1
        }
        #expect(compared > 120)
    }

    @Test(arguments: [3, 4, 5]) func symbolsCoverTheirBytes(version: Int) throws {
        let table = try Self.table(version)
        let expected: [(UInt64, String)] = [
            (0x100000, "sample!table"), (0x10000f, "sample!table+0xf"),
            (0x100010, "sample!start"), (0x10001b, "sample!start+0xb"),
            (0x10001c, "sample!hang"), (0x100022, "sample!stop+0x4"),
            (0x100030, "sample!walk"), (0x100075, "sample!walk+0x45"),
            (0x100096, "sample!add+0x16"),
            // Padding after a function with a size is nobody's.
            (0x100099, "sample!?+0x89"), (0x1000a0, "sample!outer"),
        ]
        for (address, name) in expected {
            #expect(table.lookup(address)?.name == name)
        }
        for address in [0, 0xfffff, 0x10_0000_0000, UInt64.max] {
            #expect(table.lookup(address) == nil)
        }
        #expect(table.address(of: "outer") == 0x1000a0)
        #expect(table.address(of: "outer", image: "other") == nil)
        #expect(table.address(of: "nothing") == nil)
    }

    @Test func theContextChoosesTheImage() throws {
        var table = SymbolTable()
        let bytes = try Files.bytes("Fixtures/sample-dwarf4.elf")
        table.add(image: bytes, name: "host", contexts: [.hostKernel, .hostUser])
        table.add(image: bytes, name: "guest", contexts: [.guestKernel, .guestUser])
        #expect(table.lookup(0x100030, in: .hostUser)?.image == "host")
        #expect(table.lookup(0x100030, in: .guestKernel)?.image == "guest")
        #expect(table.lookup(0x100030)?.image == "host")
    }

    @Test func anImageWithoutSymbolsIsNoted() {
        var table = SymbolTable()
        table.add(image: [1, 2, 3], name: "guest", contexts: [])
        table.add(image: Array("not an ELF file".utf8), name: "host", contexts: [])
        #expect(table.faults.count == 2)
        #expect(table.lookup(0) == nil)
    }

    /// Bytes of a file are never trusted: any change gives a table, perhaps a poorer one.
    @Test(arguments: [3, 4, 5]) func malformedImagesAreSafe(version: Int) throws {
        let bytes = try Files.bytes("Fixtures/sample-dwarf\(version).elf")
        var state: UInt64 = UInt64(version)
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        for round in 0..<3000 {
            var changed = bytes
            for _ in 0...next(5) {
                // Every other change hits the file header or the tables at the file's end.
                let place = next(2) == 0 ? next(bytes.count) : bytes.count - 1 - next(1400)
                changed[round % 3 == 0 ? next(64) : place] =
                    [0, 0xff, 0x7f, UInt8(next(256))][next(4)]
            }
            if next(4) == 0 { changed.removeLast(next(changed.count)) }
            var table = SymbolTable()
            table.add(image: changed, name: "x", contexts: [])
            for address in stride(from: 0x100000 as UInt64, to: 0x100100, by: 5) {
                _ = table.lookup(address)
            }
        }
    }

    @Test func everyTruncationIsSafe() throws {
        let bytes = try Files.bytes("Fixtures/sample-dwarf5.elf")
        for length in 0..<bytes.count {
            var table = SymbolTable()
            table.add(image: Array(bytes[..<length]), name: "x", contexts: [])
            _ = table.lookup(0x100040)
        }
    }

    /// A line program may ask for more rows than memory has: it ends by its own bytes.
    @Test func hugeCountsAreRefused() throws {
        var cursor = ByteCursor([0xff, 0xff, 0xff, 0xff, 0x0f], 0..<5)
        #expect(try cursor.unsignedLEB() == 0xffff_ffff)
        #expect(cursor.atEnd)
        cursor = ByteCursor([UInt8](repeating: 0x80, count: 100), 0..<100)
        #expect(throws: SymbolError.self) { try cursor.unsignedLEB() }
        cursor = ByteCursor([0x7f], 0..<1)
        #expect(try cursor.signedLEB() == -1)
        cursor = ByteCursor([1, 2, 3], 0..<3)
        #expect(throws: SymbolError.self) { try cursor.part(4) }
        #expect(throws: SymbolError.self) { try cursor.string() }
        #expect(try cursor.unsigned(3) == 0x030201)
    }
}
