import Foundation
import Machine
import Testing
import X86

@testable import CostProfiles

@Suite struct CostProfileFileTests {
    private static let classes = CostClass.allCases.map { "\($0)" }

    /// A file with every class at 5 cycles, changed by `edit`.
    private func file(_ edit: (inout [String: Any]) -> Void) throws -> [UInt8] {
        var cycles: [String: Any] = [:]
        for name in Self.classes { cycles[name] = 5 }
        var root: [String: Any] = [
            "schema": CostProfileFile.schema, "name": "mine", "cycles": cycles,
        ]
        edit(&root)
        return Array(try JSONSerialization.data(withJSONObject: root))
    }

    private func error(_ bytes: [UInt8]) -> CostProfileError? {
        do {
            _ = try CostProfileFile(bytes)
            return nil
        } catch { return error }
    }

    private func error(cycles: [String: Any]) throws -> CostProfileError? {
        error(
            try file { root in
                var all = root["cycles"] as? [String: Any] ?? [:]
                for (key, value) in cycles { all[key] = value is NSNull ? nil : value }
                root["cycles"] = all
            })
    }

    @Test(arguments: CostProfiles.names)
    func builtInProfilesNameTheSourceOfEveryFigure(_ name: String) throws {
        let file = try #require(CostProfiles.file(named: name))
        #expect(file.name == name && file.profile.name == name)
        #expect(file.profile.edition == .second)
        let letters = file.sources.map(\.key)
        for cost in CostClass.allCases {
            let figure = file.figures[Int(cost.rawValue)]
            #expect(file.profile[cost] == figure.cycles)
            let basis = try #require(figure.basis, "\(cost)")
            #expect(!figure.source.isEmpty, "\(cost)")
            let cited = figure.source.split(separator: "[", omittingEmptySubsequences: false)
                .dropFirst()
                .compactMap { $0.split(separator: "]").first.map(String.init) }
            for letter in cited { #expect(letters.contains(letter), "\(cost): [\(letter)]") }
            if basis != .estimated { #expect(!cited.isEmpty, "\(cost) cites nothing") }
        }
    }

    @Test func plainNumbersAndObjectsAreFigures() throws {
        let bytes = try file { root in
            var all = root["cycles"] as? [String: Any] ?? [:]
            all["load"] = ["cycles": 9, "basis": "measured", "source": "here"]
            all["tlbMiss"] = 0
            root["cycles"] = all
        }
        let file = try CostProfileFile(bytes)
        #expect(file.profile[.load] == 9 && file.profile[.store] == 5)
        #expect(file.profile[.tlbMiss] == 0)
        #expect(file.figures[Int(CostClass.load.rawValue)].basis == .measured)
    }

    @Test func aBaseGivesWhatAFileLeavesOut() throws {
        let bytes = try file { root in
            root["base"] = "core2"
            root["cycles"] = ["syscall": 100]
        }
        let profile = try CostProfileFile(bytes).profile
        var expected = CostProfiles.core2.profile
        expected.name = "mine"
        expected[.syscall] = 100
        #expect(profile == expected)
        let wrong = error(try file { $0["base"] = "core3" })
        #expect(
            wrong
                == .notAllowed(key: "base", value: "\"core3\"", allowed: "one of core2, zen3"))
    }

    @Test func errorsNameKeyAndValue() throws {
        #expect(
            try error(cycles: ["lode": 3]) == .unknownKey(key: "cycles.lode", value: "3"))
        #expect(try error(cycles: ["load": NSNull()]) == .missingKey(key: "cycles.load"))
        #expect(
            try error(cycles: ["load": -1]) == .negative(key: "cycles.load", value: "-1"))
        #expect(
            try error(cycles: ["load": 65536])
                == .tooLarge(key: "cycles.load", value: "65536", greatest: 65535))
        #expect(
            try error(cycles: ["load": 1e30])
                == .tooLarge(key: "cycles.load", value: "1e+30", greatest: 65535))
        #expect(
            try error(cycles: ["load": "4"])
                == .notANumber(key: "cycles.load", value: "\"4\""))
        #expect(
            try error(cycles: ["load": true]) == .notANumber(key: "cycles.load", value: "true"))
        #expect(
            try error(cycles: ["load": 1.5]) == .notWhole(key: "cycles.load", value: "1.5"))
        #expect(
            try error(cycles: ["load": 0])
                == .tooSmall(key: "cycles.load", value: "0", least: 1))
        #expect(
            try error(cycles: ["load": ["cycles": 1, "basis": "guess"]])
                == .notAllowed(
                    key: "cycles.load.basis", value: "\"guess\"",
                    allowed: "one of measured, derived, estimated"))
        #expect(
            error(try file { $0["color"] = "red" }) == .unknownKey(key: "color", value: "\"red\""))
        #expect(error(try file { $0["name"] = nil }) == .missingKey(key: "name"))
        #expect(
            error(try file { $0["name"] = "zen3" })
                == .notAllowed(
                    key: "name", value: "\"zen3\"", allowed: "a name of its own (it is built in)"))
        #expect(error(Array("[1]".utf8)) == .notAnObject(value: "an array of 1"))
        for text in ["", "{", "nul", "{\"schema\": }"] {
            guard case .malformed = error(Array(text.utf8)) else {
                Issue.record("'\(text)' is taken for JSON")
                continue
            }
        }
    }

    /// `Docs/cost-profile.schema.json` says the same as the code.
    @Test func theWrittenSchemaHasTheSameClassesAndBounds() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let data = try Data(contentsOf: root.appending(path: "Docs/cost-profile.schema.json"))
        let schema = try #require(
            try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let properties = try #require(schema["properties"] as? [String: Any])
        #expect(
            properties.keys.sorted() == ["about", "base", "cycles", "name", "schema", "sources"])
        let cycles = try #require(properties["cycles"] as? [String: Any])
        let classes = try #require(cycles["properties"] as? [String: [String: String]])
        #expect(classes.keys.sorted() == Self.classes.sorted())
        for cost in CostClass.allCases {
            let form = cost.mayBeFree ? "#/$defs/free" : "#/$defs/paid"
            #expect(classes["\(cost)"]?["$ref"] == form)
        }
        let definitions = try #require(schema["$defs"] as? [String: Any])
        let number = try #require(definitions["cycles"] as? [String: Any])
        #expect(number["maximum"] as? Int == CostProfileFile.greatest)
        let basis = try #require(definitions["basis"] as? [String: Any])
        #expect(
            basis["enum"] as? [String] == CostProfileFile.Basis.allCases.map(\.rawValue))
    }
}
