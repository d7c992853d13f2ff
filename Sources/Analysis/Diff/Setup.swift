import Trace

/// What differs in how two runs were set up. Texts are the traces' own.
public struct SetupDifference: Equatable, Sendable {
    public enum Subject: Equatable, Sendable {
        /// A key of the metadata.
        case metadata(String)
        /// An image, by role and number among those of its role; the texts are name, size and
        /// SHA-256.
        case image(TraceImage.Role, Int)
        /// The contents of a disk, as far as both guests read them.
        case disk(Int)
        /// An input, by its number from 0; nil for how many there are.
        case input(Int?)
    }
    public var subject: Subject
    /// Nil where the trace has no such thing.
    public var a: String?
    public var b: String?
}

/// Questions about whole traces.
public enum Traces {
    /// Whether the run's host is a built-in design, so that the numbers in it are those of the
    /// reference ABI.
    public static func isReference(_ reader: TraceReader) -> Bool {
        !(reader.metadata[TraceMetadata.Key.design] ?? "").isEmpty
    }

    /// The SHA-256 of the first image of a role, hexadecimal.
    public static func sha256(_ reader: TraceReader, _ role: TraceImage.Role) -> String? {
        reader.images.first { $0.role == role }.map { hexadecimal($0.sha256) }
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Metadata and images; inputs are compared where the records are read.
    static func setup(
        _ a: TraceReader, _ b: TraceReader
    ) throws(TraceError) -> [SetupDifference] {
        var found: [SetupDifference] = []
        var keys = a.metadata.entries.map(\.key)
        keys += b.metadata.entries.map(\.key).filter { a.metadata[$0] == nil }
        let ofImages = [TraceMetadata.Key.hostSHA256, TraceMetadata.Key.guestSHA256]
        for key in keys where a.metadata[key] != b.metadata[key] && !ofImages.contains(key) {
            found.append(
                SetupDifference(
                    subject: .metadata(key), a: a.metadata[key], b: b.metadata[key]))
        }
        for role in [TraceImage.Role.host, .guest, .other] {
            let x = a.images.filter { $0.role == role }
            let y = b.images.filter { $0.role == role }
            for i in 0..<max(x.count, y.count) {
                let left = i < x.count ? x[i] : nil
                let right = i < y.count ? y[i] : nil
                if left == right { continue }
                found.append(
                    SetupDifference(
                        subject: .image(role, i), a: left.map(describe),
                        b: right.map(describe)))
            }
        }
        return found + (try disks(a, b))
    }

    /// What a damaged block of a disk's contents held is not known, and not compared.
    private static func directory(
        _ reader: TraceReader
    ) throws(TraceError) -> TraceDiskDirectory {
        do throws(TraceError) {
            return try reader.diskDirectory()
        } catch {
            if error.isSystem { throw error }
            return TraceDiskDirectory()
        }
    }

    private static func disks(
        _ a: TraceReader, _ b: TraceReader
    ) throws(TraceError) -> [SetupDifference] {
        let (x, y) = (try directory(a), try directory(b))
        var found: [SetupDifference] = []
        for disk in 0..<min(x.diskCount, y.diskCount) {
            let different = x.numbers(disk: disk).filter { number in
                guard y[disk, number] != nil else { return false }
                return x.digest(disk: disk, number) != y.digest(disk: disk, number)
            }
            guard let first = different.first else { continue }
            func describe(_ directory: TraceDiskDirectory) -> String {
                let sum = directory.digest(disk: disk, first).map { "sha256 \(hexadecimal($0))" }
                return "chunk \(first): \(sum ?? "zeros")"
                    + (different.count > 1 ? ", and \(different.count - 1) more differ" : "")
            }
            found.append(
                SetupDifference(subject: .disk(disk), a: describe(x), b: describe(y)))
        }
        return found
    }

    private static func describe(_ image: TraceImage) -> String {
        "\(image.name), \(image.size) bytes, sha256 \(hexadecimal(image.sha256))"
    }

    static func inputs(_ a: Statistics, _ b: Statistics) -> [SetupDifference] {
        var found: [SetupDifference] = []
        if a.inputCount != b.inputCount {
            found.append(
                SetupDifference(
                    subject: .input(nil), a: String(a.inputCount), b: String(b.inputCount)))
        }
        for i in 0..<max(a.inputs.count, b.inputs.count) {
            let x = i < a.inputs.count ? a.inputs[i] : nil
            let y = i < b.inputs.count ? b.inputs[i] : nil
            if x == y { continue }
            found.append(
                SetupDifference(subject: .input(i), a: x.map(describe), b: y.map(describe)))
            if found.count >= 8 { break }
        }
        return found
    }

    private static func describe(_ input: Input) -> String {
        let what =
            switch input.kind {
            case .console: "\(input.bytes.count) bytes typed"
            case .interrupt: "interrupt 0x\(String(input.number, radix: 16))"
            case .nmi: "NMI"
            case .machineCheck: "machine check"
            }
        return "\(what) on cpu\(input.cpu) at cycle \(input.cycle), instruction "
            + "\(input.instruction)"
    }
}
