import Foundation
import Testing

@testable import Kernels

/// The images as files: what loaders, debuggers and the observer need of them is there.
@Suite struct ImageTests {
    static func reader(_ name: String) throws -> ImageReader {
        ImageReader(
            bytes: try name == "host" ? Kernels.host(.rfc).bytes : Kernels.guest(.rfc).bytes)
    }

    @Test(arguments: ["host", "guest"]) func isAnExecutableForX86_64(name: String) throws {
        let image = try Self.reader(name)
        #expect(Array(image.bytes.prefix(6)) == [0x7F, 0x45, 0x4C, 0x46, 2, 1])
        #expect(image.number(16, 2) == 2)
        #expect(image.number(18, 2) == 62)
        for segment in image.segments {
            #expect(segment.fileOffset + segment.fileSize <= image.bytes.count)
        }
    }

    @Test(arguments: ["host", "guest"]) func loadsNothingTwice(name: String) throws {
        let loads = try Self.reader(name).segments
            .filter { $0.type == ImageReader.loadSegment }
            .sorted { $0.physical < $1.physical }
        #expect(loads.count > 2)
        for (low, high) in zip(loads, loads.dropFirst()) {
            #expect(low.physical + low.memorySize <= high.physical)
        }
    }

    @Test func hostHasThePVHEntry() throws {
        let image = try Self.reader("host")
        let note = try #require(image.notes.first { $0.name == "Xen" && $0.type == 18 })
        let entry = ImageReader(bytes: note.descriptor).number(0, 8)
        let start = try #require(image.symbols["pvh_start"])
        #expect(entry == start.value &- 0xFFFF_FFFF_8000_0000)
    }

    /// Every key of observer_note.h, once, with the values that can be known from the symbols; the
    /// optional ones from 30 up where the design has the pointer elsewhere, or hypercalls by mode.
    @Test(
        arguments: [
            ("rfc", []), ("rfc-swap-gdt", []), ("rfc-swap-gdt-idt", []), ("rfc-task", [30]),
            ("hardened", [33]), ("pvm", [31, 33]),
        ] as [(String, [UInt64])])
    func hostTellsTheObserverEverything(design: String, optional: [UInt64]) throws {
        let image = ImageReader(bytes: try Kernels.host(Design(design)).bytes)
        let note = try #require(image.notes.first { $0.name == "pvreplay" })
        #expect(note.type == 1)
        let fields = ImageReader(bytes: note.descriptor)
        var values: [UInt64: UInt64] = [:]
        for at in stride(from: 0, to: note.descriptor.count, by: 16) {
            #expect(fields.number(at + 4, 4) == 0)
            #expect(values[fields.number(at, 4)] == nil)
            values[fields.number(at, 4)] = fields.number(at + 8, 8)
        }
        #expect(values.keys.sorted().filter { $0 < 30 } == Array(1...24))
        #expect(values.keys.sorted().filter { (30..<40).contains($0) } == optional)
        #expect(values.keys.sorted().filter { $0 >= 40 } == [40, 41, 42])
        let symbols = image.symbols
        for (key, symbol, offset) in [
            (1, "pda_table", 0), (19, "end_reason", 0), (20, "design_name", 0),
            (23, "ended_vcpu", 0), (31, "tss", 20),
        ] where key < 30 || optional.contains(UInt64(key)) {
            let place = try #require(symbols[symbol]).value &- 0xFFFF_FFFF_8000_0000
            #expect(values[UInt64(key)] == place + UInt64(offset))
        }
        let exits = (15...18).map { values[$0] }
        #expect(Set(exits).count == 4)
    }

    /// Entry code is where a reader of a diagnosis wants names: each routine has a symbol with a
    /// size, and lines.
    @Test(arguments: [
        ("host", ["system_call", "error_entry", "paranoid_entry", "lguest_return", "host_main"]),
        ("guest", ["guest_start", "trap_entry", "system_call_entry", "guest_main"]),
    ]) func hasSymbolsAndLines(name: String, routines: [String]) throws {
        let image = try Self.reader(name)
        for routine in routines {
            let symbol = try #require(image.symbols[routine], "\(routine)")
            #expect(symbol.size > 0, "\(routine) has no size")
        }
        let lines = try #require(image.sections.first { $0.name == ".debug_line" })
        #expect(lines.size > 1000)
    }

    /// No path of the machine that built it, so that the bytes are the same from any folder.
    @Test(arguments: ["host", "guest"]) func namesNoFolderOfTheBuilder(name: String) throws {
        let image = Data(try Self.reader(name).bytes)
        let root = String(#filePath.split(separator: "/").first ?? "")
        #expect(image.range(of: Data("/\(root)/".utf8)) == nil)
        #expect(image.range(of: Data("\(name)/".utf8)) != nil, "source names are relative")
    }

    /// The script, run by hand on a copy of the sources elsewhere, gives the embedded bytes.
    @Test(arguments: ["host", "guest"]) func buildsTheSameBytesElsewhere(name: String) throws {
        let files = FileManager.default
        let images = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Sources/Kernels/Images")
        let folder = files.temporaryDirectory.appending(
            path: "kernel images of process \(ProcessInfo.processInfo.processIdentifier) \(name)")
        defer { try? files.removeItem(at: folder) }
        try? files.removeItem(at: folder)
        try files.copyItem(at: images, to: folder)
        let output = folder.appending(path: "image.elf")
        let result = try buildImage(in: folder, name: name, output: output)
        #expect(result.status == 0, "\(result.output)")
        #expect(try Data(contentsOf: output) == Data(try Self.reader(name).bytes))
    }

    @Test func decodesBase64() {
        for text in ["", "QQ==", "QUI=", "QUJD", "+/8AgA=="] as [StaticString] {
            let bytes = text.withUTF8Buffer { Base64.decode($0) }
            #expect(Data(bytes) == Data(base64Encoded: "\(text)"))
        }
    }
}
