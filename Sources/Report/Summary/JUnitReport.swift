import Replay

/// A replay as a JUnit document with one case, for CI systems.
public enum JUnitReport {
    public static func document(
        trace: String, _ result: ReplayResult, abi: CallABI
    ) -> String {
        document(
            trace: trace, failure: result.divergence.map { DivergenceText.headline($0) },
            text: result.divergence.map {
                DivergenceText.text($0, abi: abi)
            } ?? "")
    }

    /// - Parameters:
    ///   - failure: what went wrong, in a line; nil where nothing did.
    ///   - text: the whole story of the failure.
    public static func document(trace: String, failure: String?, text: String) -> String {
        let name = Markup.escaped(trace)
        var body = ""
        if let failure {
            body =
                "\n      <failure message=\"\(Markup.escaped(failure))\">"
                + Markup.escaped(text) + "</failure>\n    "
        }
        let failures = failure == nil ? 0 : 1
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites>
              <testsuite name="pvreplay" tests="1" failures="\(failures)">
                <testcase classname="replay" name="\(name)">\(body)</testcase>
              </testsuite>
            </testsuites>

            """
    }
}
