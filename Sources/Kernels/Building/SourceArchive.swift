/// The kernels' sources as pack.sh stores them: for each file a line `file BYTES PATH`, then its
/// bytes.
struct SourceArchive {
    struct File: Equatable {
        /// Relative to `Images`.
        var path: String
        var bytes: [UInt8]
    }

    let files: [File]

    /// The sources that this package was built from.
    static var packed: SourceArchive {
        SourceArchive(KernelImage.sourcesBase64.withUTF8Buffer { Base64.decode($0) })
    }

    /// - Precondition: the text is pack.sh's, which is our own build's.
    init(_ text: [UInt8]) {
        var files: [File] = []
        var rest = text[...]
        while !rest.isEmpty {
            let head = rest.prefix { $0 != UInt8(ascii: "\n") }
            let words = String(decoding: head, as: UTF8.self).split(separator: " ")
            guard words.count == 3, words[0] == "file", let count = Int(words[1]) else {
                preconditionFailure("not an archive of sources")
            }
            rest = rest.dropFirst(head.count + 1)
            precondition(count <= rest.count, "an archive of sources is cut off")
            files.append(File(path: String(words[2]), bytes: Array(rest.prefix(count))))
            rest = rest.dropFirst(count)
        }
        self.files = files
    }
}
