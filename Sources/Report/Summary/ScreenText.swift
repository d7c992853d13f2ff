/// A PC's text screen as a run left it.
public enum ScreenText {
    /// - Parameter lines: those of the screen, without what is blank below the last.
    /// - Returns: lines ending with a newline.
    public static func text(_ lines: [String]) -> String {
        let shown = lines.map { ($0.isEmpty ? "  |" : "  | " + $0) + "\n" }
        return "Screen:\n" + shown.joined()
    }
}
