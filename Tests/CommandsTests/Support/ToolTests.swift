import Testing

@Suite struct ToolTests {
    @Test func whatHangsIsKilled() throws {
        let result = try Tool.run(["600"], path: "/bin/sleep", patience: 0.2)
        #expect(result.status == 137)
    }
}
