import Foundation
import Machine

/// Compares the system half of the machine with other emulators; see Docs/oracles.md.
struct Options {
    var seed: UInt64 = 1
    var first = 0
    var count = 10_000
    var vendor = Vendor.intel
    var world: World?
    var isMatrix = false
    var longest = 3
    var qemu: String?
    var bochs: String?
    var preload: String?
    var script = "bochs.py"
    var harness = ""
    var work = "/tmp"
    var known: String?
    var single = false
    var reports = 10
    var blocks = true
    var trace = false
    /// All that differs without an explanation is printed.
    var isVerbose = false
    /// Only the executors must agree; what the emulators say is reported.
    var isAdvisory = false

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        func value(_ name: String) throws -> String {
            guard let value = rest.popFirst() else {
                throw OracleError(description: "\(name) wants a value")
            }
            return value
        }
        func number(_ name: String) throws -> Int {
            guard let number = Int(try value(name)) else {
                throw OracleError(description: "\(name) wants a number")
            }
            return number
        }
        while let name = rest.popFirst() {
            switch name {
            case "--seed": seed = UInt64(try number(name))
            case "--count": count = try number(name)
            case "--first": first = try number(name)
            case "--case":
                first = try number(name)
                count = 1
                single = true
            case "--vendor": vendor = try value(name) == "amd" ? .amd : .intel
            case "--world":
                let worlds = ["real": World.real, "v86": .virtual8086, "protected": .protected]
                world = worlds[try value(name)] ?? .long
            case "--matrix": isMatrix = true
            case "--longest": longest = try number(name)
            case "--qemu": qemu = try value(name)
            case "--bochs": bochs = try value(name)
            case "--preload": preload = try value(name)
            case "--script": script = try value(name)
            case "--harness": harness = try value(name)
            case "--work": work = try value(name)
            case "--known": known = try value(name)
            case "--reports": reports = try number(name)
            case "--advisory": isAdvisory = true
            case "--trace": trace = true
            case "--verbose": isVerbose = true
            case "--no-blocks": blocks = false
            default: throw OracleError(description: "unknown option \(name)")
            }
        }
    }
}

func say(_ text: String) { print(text) }

do {
    let options = try Options(Array(CommandLine.arguments.dropFirst()))
    let run = try OracleRun(options)
    defer { run.stop() }
    let failed = try run.run()
    run.stop()
    exit(failed ? 1 : 0)
} catch {
    FileHandle.standardError.write(Data("system-oracle: \(error)\n".utf8))
    exit(2)
}
