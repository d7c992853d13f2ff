/// Metadata, images and the outcome as payloads, each with its encoder and decoder side by side.

extension TraceMetadata {
    func payload() -> [UInt8] {
        var builder = ByteBuilder()
        builder.append(UInt32(entries.count))
        builder.append(UInt32(0))
        for entry in entries {
            let key = Array(entry.key.utf8)
            let value = Array(entry.value.utf8)
            builder.append(UInt32(key.count))
            builder.append(UInt32(value.count))
            builder.append(key)
            builder.append(value)
        }
        return builder.bytes
    }

    static func read(_ payload: [UInt8], base: UInt64) throws(TraceError) -> TraceMetadata {
        var parser = ByteParser(payload, base: base)
        let count = try parser.take(UInt32.self, "metadata")
        _ = try parser.take(UInt32.self, "metadata")
        // Each entry has eight bytes at least: a larger count is refused before the loop.
        guard Int(count) <= parser.remaining / 8 else {
            throw .malformed(offset: base, what: "more metadata entries than fit")
        }
        var metadata = TraceMetadata()
        var seen: Set<String> = []
        for _ in 0..<count {
            let start = parser.offset
            let keyLength = try parser.take(UInt32.self, "metadata")
            let valueLength = try parser.take(UInt32.self, "metadata")
            let key = try parser.string(Int(keyLength), "metadata key")
            let value = try parser.string(Int(valueLength), "metadata value")
            guard seen.insert(key).inserted else {
                throw .malformed(offset: start, what: "metadata key \(key) comes twice")
            }
            metadata.add(Entry(key: key, value: value))
        }
        guard parser.remaining == 0 else {
            throw .malformed(offset: parser.offset, what: "bytes after the metadata")
        }
        return metadata
    }
}

extension TraceImage {
    /// The bytes before the image's frame.
    func header() -> [UInt8] {
        precondition(sha256.count == 32, "a SHA-256 has 32 bytes")
        let text = Array(name.utf8.prefix(Int(UInt16.max)))
        var builder = ByteBuilder()
        builder.append(sha256)
        builder.append(UInt64(size))
        builder.append(role.rawValue)
        builder.append(UInt16(text.count))
        builder.append(UInt32(0))
        builder.append(text)
        builder.append(repeatElement(0, count: (8 - text.count % 8) % 8))
        return builder.bytes
    }

    /// The image and the place of its frame in the payload.
    static func read(
        _ payload: [UInt8], base: UInt64, limits: TraceLimits
    ) throws(TraceError) -> (image: TraceImage, frame: Int) {
        var parser = ByteParser(payload, base: base)
        let sha256 = try parser.take(32, "image header")
        let size = try parser.take(UInt64.self, "image header")
        let role = try parser.take(UInt16.self, "image header")
        let length = Int(try parser.take(UInt16.self, "image header"))
        _ = try parser.take(UInt32.self, "image header")
        let name = try parser.string(length, "image name")
        _ = try parser.take((8 - length % 8) % 8, "image header")
        guard size <= limits.imageBytes else {
            throw .limit(
                offset: base + 32, what: "the size of an image", value: size,
                limit: limits.imageBytes)
        }
        // A role of a later minor version is shown by its name.
        let known = TraceImage.Role(rawValue: role) ?? .other
        let image = TraceImage(role: known, name: name, sha256: sha256, size: Int(size))
        return (image, payload.count - parser.remaining)
    }
}

extension Outcome {
    func payload() -> [UInt8] {
        let text = Array(reason.utf8)
        var builder = ByteBuilder()
        builder.append(kind.rawValue)
        builder.append(cpu)
        builder.append(UInt16(0))
        builder.append(exitCode)
        builder.append(cycles)
        builder.append(instructions)
        builder.append(events)
        builder.append(returns)
        builder.append(eventDigest)
        builder.append(machineDigest)
        builder.append(UInt32(cpuInstructions.count))
        builder.append(UInt32(text.count))
        builder.append(UInt64(0))
        for count in cpuInstructions { builder.append(count) }
        builder.append(text)
        return builder.bytes
    }

    static func read(_ payload: [UInt8], base: UInt64) throws(TraceError) -> Outcome {
        var parser = ByteParser(payload, base: base)
        var outcome = Outcome()
        let kind = try parser.take(UInt8.self, "outcome")
        guard let known = OutcomeKind(rawValue: kind) else {
            throw .malformed(offset: base, what: "outcome \(kind) is unknown")
        }
        outcome.kind = known
        outcome.cpu = try parser.take(UInt8.self, "outcome")
        _ = try parser.take(UInt16.self, "outcome")
        outcome.exitCode = try parser.take(UInt32.self, "outcome")
        outcome.cycles = try parser.take(UInt64.self, "outcome")
        outcome.instructions = try parser.take(UInt64.self, "outcome")
        outcome.events = try parser.take(UInt64.self, "outcome")
        outcome.returns = try parser.take(UInt64.self, "outcome")
        outcome.eventDigest = try parser.take(UInt64.self, "outcome")
        outcome.machineDigest = try parser.take(UInt64.self, "outcome")
        let cpus = try parser.take(UInt32.self, "outcome")
        let length = try parser.take(UInt32.self, "outcome")
        _ = try parser.take(UInt64.self, "outcome")
        guard cpus <= 256 else {
            throw .malformed(offset: base + 56, what: "an outcome of \(cpus) CPUs")
        }
        for _ in 0..<cpus {
            outcome.cpuInstructions.append(try parser.take(UInt64.self, "outcome"))
        }
        outcome.reason = try parser.string(Int(length), "outcome's reason")
        guard parser.remaining == 0 else {
            throw .malformed(offset: parser.offset, what: "bytes after the outcome")
        }
        return outcome
    }
}
