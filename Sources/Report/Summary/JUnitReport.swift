import Replay

/// A replay as a JUnit document with one case, for CI systems.
public enum JUnitReport {
    public static func document(
        trace: String, _ result: ReplayResult, reference: Bool
    ) -> String {
        let name = escaped(trace)
        var body = ""
        if let divergence = result.divergence {
            let text = DivergenceText.text(divergence, reference: reference)
            body =
                "\n      <failure message=\"\(escaped(DivergenceText.headline(divergence)))\">"
                + escaped(text) + "</failure>\n    "
        }
        let failures = result.divergence == nil ? 0 : 1
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites>
              <testsuite name="pvreplay" tests="1" failures="\(failures)">
                <testcase classname="replay" name="\(name)">\(body)</testcase>
              </testsuite>
            </testsuites>

            """
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }
}
