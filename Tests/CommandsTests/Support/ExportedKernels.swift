import Foundation
import Testing

/// The kernels of each design, built once for all tests.
enum ExportedKernels {
    private static let lock = NSLock()
    nonisolated(unsafe) private static var folders: [String: Scratch] = [:]

    /// A folder with the design's `host.elf` and `guest.elf`.
    static func folder(_ design: String) throws -> Scratch {
        try lock.withLock {
            if let folder = folders[design] { return folder }
            let folder = try Scratch()
            let result = try Tool.run(["kernels", "-o", folder.url.path, "--design", design])
            try #require(result.status == 0, "\(design): \(result.error)")
            folders[design] = folder
            return folder
        }
    }

    /// The same as `--design` for `record`, without building them again.
    static func arguments(_ design: String) throws -> [String] {
        let folder = try folder(design)
        return ["--host", folder.path("host.elf"), "--guest", folder.path("guest.elf")]
    }
}
