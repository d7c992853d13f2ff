import Foundation
import Kernels
import Testing

@testable import Report

/// The reference images carry what a diagnosis needs.
@Suite struct KernelSymbolTests {
    @Test(arguments: ["host", "guest"]) func everyFunctionHasItsSource(name: String) throws {
        let bytes = try name == "host" ? Kernels.host(.rfc).bytes : Kernels.guest(.rfc).bytes
        let file = try ELFSections(bytes)
        var table = SymbolTable()
        table.add(image: bytes, name: name, contexts: [])
        #expect(table.faults.isEmpty)
        let sources = Files.folder.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Sources/Kernels/Images")
        var found: Set<String> = []
        for section in file.sections where file.isCode(section.address) && section.size > 0 {
            for address in stride(
                from: section.address, to: section.address + section.size, by: 16)
            {
                guard let place = table.lookup(address), let path = place.file else { continue }
                #expect(place.symbol != nil || place.line != nil)
                #expect((place.line ?? 0) > 0)
                found.insert(path)
            }
        }
        #expect(found.count > 10)
        for path in found.sorted() {
            #expect(
                FileManager.default.fileExists(atPath: sources.appending(path: path).path),
                "\(path) is no source of \(name)")
        }
    }
}
