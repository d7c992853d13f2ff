import Foundation
import Testing

@testable import Kernels

/// Designs as text: what is one, what is not, and how each is written.
@Suite struct DesignTests {
    static let images = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources/Kernels/Images")

    @Test func theNamedDesignsAreThere() {
        let names = Design.named.map(\.name)
        #expect(
            names == [
                "rfc", "rfc-swap-gdt", "rfc-swap-gdt-idt", "rfc-task", "hardened", "pvm",
            ])
        for (i, one) in Design.named.enumerated() {
            #expect(one.design.name == one.name)
            #expect(!one.summary.isEmpty)
            for other in Design.named[..<i] { #expect(one.design != other.design) }
        }
    }

    /// A combination that has a name gets it, another is written from the nearest named design, its
    /// axes in order, however it was given.
    @Test(arguments: [
        ("rfc", "rfc"),
        ("rfc,roots=one", "rfc,roots=one"),
        ("rfc,roots=two", "rfc"),
        ("rfc,vcpu-pointer=task", "rfc-task"),
        ("rfc-task,vcpu-pointer=pda", "rfc"),
        ("rfc,guards=full,hypercall-mark=mode", "hardened"),
        ("pvm,moves=host,roots=one", "pvm,roots=one,moves=host"),
        ("rfc,roots=one,guest-return=iret", "rfc,guest-return=iret,roots=one"),
        ("rfc,selectors=swap-gdt,guest-return=iret,moves=host", "rfc-swap-gdt,moves=host"),
    ]) func hasOneName(text: String, name: String) throws {
        let design = try Design(text)
        #expect(design.name == name)
        #expect(try Design(design.name) == design)
        #expect("\(design)" == name)
    }

    @Test(arguments: [
        ("", "there is no design ''"),
        ("xen", "there is no design 'xen'; the named ones are rfc, rfc-swap-gdt"),
        ("roots=one", "there is no design 'roots=one'"),
        ("rfc,", "'' is not of the form AXIS=VALUE"),
        ("rfc,roots", "'roots' is not of the form AXIS=VALUE"),
        ("rfc,colour=red", "there is no axis 'colour'; the axes are selectors,"),
        ("rfc,roots=three", "the axis roots has no value 'three'; its values are one, two"),
        ("rfc,roots=one=two", "has no value 'one=two'"),
        ("rfc,roots=one,roots=one", "the axis roots is given twice"),
        ("rfc,selectors=swap-gdt", "selectors=swap-gdt and guest-return=sysret make no sense"),
        ("pvm,selectors=swap-gdt-idt", "add guest-return=iret"),
        ("rfc-swap-gdt,guest-return=sysret", "SYSRET takes SS from the slot before CS's"),
    ]) func isRefusedWithTheReason(text: String, reason: String) {
        let error = #expect(throws: DesignError.self) { try Design(text) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(reason))
    }

    /// No value without code: its macro is asked for somewhere, and design.h says what it means.
    @Test func everyValueIsInTheSources() throws {
        var text = ""
        for file in SourceArchive.packed.files where !file.path.hasSuffix("design.h") {
            text += String(decoding: file.bytes, as: UTF8.self)
        }
        let page = try String(
            contentsOf: Self.images.appending(path: "host/design.h"), encoding: .utf8)
        for axis in DesignAxis.all {
            let prefix = axis.name.uppercased().replacingOccurrences(of: "-", with: "_")
            let last = axis.values.count - 1
            for (i, value) in axis.values.enumerated() {
                let short = value.name.uppercased().replacingOccurrences(of: "-", with: "_")
                #expect(page.contains("\(prefix)_\(short)"), "design.h lacks \(prefix)_\(short)")
                #expect(page.contains("\(short):"), "design.h does not explain \(short)")
                // The last of an axis may be an #else.
                #expect(i == last || text.contains("\(prefix)_\(short)"), "\(prefix)_\(short)")
            }
        }
    }
}

/// Images that the package does not carry.
@Suite struct ImageBuilderTests {
    @Test func theArchiveIsTheSources() throws {
        for file in SourceArchive.packed.files {
            let source = DesignTests.images.appending(path: file.path)
            #expect(try Data(contentsOf: source) == Data(file.bytes), "\(file.path)")
        }
        #expect(SourceArchive.packed.files.contains { $0.path == "host/entry_guest.S" })
    }

    /// However an image comes to be, it is the same.
    @Test func buildsTheBytesThatThePackageCarries() throws {
        let design = try Design("hardened")
        #expect(Kernels.carries(.host, design))
        #expect(try ImageBuilder.build(.host, design: design) == Kernels.host(design).bytes)
        #expect(try ImageBuilder.build(.guest, design: .rfc) == Kernels.guest(design).bytes)
    }

    @Test func aGuestDiffersByWhoMovesOnly() throws {
        let moved = try Design("pvm,moves=host")
        #expect(moved.ofGuest.name == "rfc,moves=host")
        #expect(try Design("pvm").ofGuest == .rfc)
        #expect(!Kernels.carries(.guest, moved.ofGuest))
        let image = try Kernels.guest(moved)
        #expect(image.name == "guest-moves-host")
        let entry = ImageReader(bytes: image.bytes).number(24, 8)
        #expect(entry == 0xFFFF_8100_0010_0000)
    }

    @Test func namesAToolThatIsMissing() throws {
        for (environment, tool) in [
            (["PATH": "/nowhere"], "clang"), (["PATH": ""], "clang"), ([:], "clang"),
            (["PATH": "/bin", "CLANG": "/nowhere/clang"], "/nowhere/clang"),
            (["PATH": "/bin", "CLANG": "no-such-clang"], "no-such-clang"),
        ] {
            let error = #expect(throws: ImageBuildError.self) {
                try Toolchain.find(
                    "clang", variable: "CLANG", for: .rfc, environment: environment)
            }
            #expect("\(error.map { "\($0)" } ?? "")".contains(tool))
            #expect("\(error.map { "\($0)" } ?? "")".contains("install"))
        }
    }

    @Test func takesTheToolOfTheVariable() throws {
        let shell = try Toolchain.find(
            "clang", variable: "CLANG", for: .rfc,
            environment: ["PATH": "/usr/bin:/bin", "CLANG": "sh"])
        #expect(shell.hasSuffix("/sh"))
        let absolute = try Toolchain.find(
            "clang", variable: "CLANG", for: .rfc, environment: ["CLANG": "/bin/sh"])
        #expect(absolute == "/bin/sh")
    }
}
