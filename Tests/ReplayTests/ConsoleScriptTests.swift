import Testing

@testable import Replay

/// What is typed at which prompt, and when.
@Suite struct ConsoleScriptTests {
    @Test func stepsAreRead() throws {
        let step = try #require(ConsoleScript.Step("login: =>root"))
        #expect(step.prompt == Array("login: ".utf8))
        #expect(step.answer == Array("root\n".utf8))
        #expect(ConsoleScript.Step("# =>\\x03\\c")?.answer == [3])
        #expect(ConsoleScript.Step("a\\\\b\\r\\n=>x=>y")?.prompt == Array("a\\b\r\n".utf8))
        #expect(ConsoleScript.Step("a=>x=>y")?.answer == Array("x=>y\n".utf8))
        for text in ["", "=>x", "no arrow", "a=>\\q", "a=>\\x1", "a\\=>b", "a=>b\\"] {
            #expect(ConsoleScript.Step(text) == nil, "'\(text)'")
        }
        let script = try ConsoleScript(file: "# comment\n\nlogin: =>root\n# =>poweroff\n")
        #expect(script.steps.count == 2, "a root prompt is no comment")
        #expect(throws: ConsoleScriptError(line: 2)) { try ConsoleScript(file: "a=>b\nnonsense") }
    }

    @Test func itTypesWhenThePromptIsThere() throws {
        let script = ConsoleScript([
            try #require(ConsoleScript.Step("$ =>one")),
            try #require(ConsoleScript.Step("$ =>two")),
        ])
        let talk = ScriptedConversation(script, patience: 100)
        func show(_ text: String) { text.utf8.forEach { talk.printed($0) } }
        #expect(talk.typed(at: 1, machineIdle: false).isEmpty)
        #expect(!talk.isOpen)
        show("boot\r\n$ ")
        #expect(talk.isOpen)
        #expect(talk.typed(at: 50, machineIdle: true) == Array("one\n".utf8))
        // The echo, and a prompt that came before the answer, are not the next prompt.
        show("one\r\n")
        #expect(talk.typed(at: 120, machineIdle: false).isEmpty)
        #expect(talk.reasonToStop == nil)
        show("out\r\n$ ")
        #expect(talk.typed(at: 149, machineIdle: false) == Array("two\n".utf8))
        #expect(talk.typed(at: 10_000, machineIdle: false).isEmpty)
        #expect(talk.reasonToStop == nil, "the script is at its end")
    }

    @Test func itsPatienceEnds() throws {
        let step = try #require(ConsoleScript.Step("login: =>root"))
        let talk = ScriptedConversation(ConsoleScript([step]), patience: 100)
        _ = talk.typed(at: 10, machineIdle: false)
        _ = talk.typed(at: 109, machineIdle: false)
        #expect(talk.reasonToStop == nil)
        _ = talk.typed(at: 110, machineIdle: false)
        #expect(talk.reasonToStop == "the console did not show 'login: ' in time")
    }
}
