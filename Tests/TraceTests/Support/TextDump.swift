@testable import Trace

/// All that a reader gives, as text: for stored expectations. One record a line.
func dump(_ bytes: [UInt8]) -> String {
    var lines: [String] = []
    do throws(TraceError) {
        let reader = try TraceReader(bytes: bytes)
        lines.append("complete \(reader.complete)")
        if let damage = reader.damage { lines.append("damage \(damage.description)") }
        for entry in reader.metadata.entries {
            lines.append("metadata \(entry.key) = \(entry.value)")
        }
        for (number, image) in reader.images.enumerated() {
            lines.append("image \(image.role) \(image.name) \(image.size) \(hex(image.sha256))")
            lines.append("  contents \(digest(try reader.loadImage(number)))")
        }
        for (number, info) in reader.checkpoints.enumerated() {
            lines.append(
                "checkpoint \(info.kind) at event \(info.sequence) cycle \(info.cycle) "
                    + "instructions \(info.instructions) digest \(hex(info.eventDigest))")
            lines.append("  state \(digest(try reader.loadCheckpoint(number)))")
        }
        let directory = try reader.diskDirectory()
        for disk in 0..<Int(Format.diskLimit) {
            for number in directory.numbers(disk: disk) {
                lines.append("disk \(disk) chunk \(number) \(directory[disk, number]!)")
            }
        }
        for number in directory.digests.indices {
            lines.append("disk block \(digest(try reader.loadDiskBlock(number)))")
        }
        for chunk in reader.chunks {
            lines.append("chunk \(chunk.firstSequence)+\(chunk.events) cycle \(chunk.cycle)")
        }
        let (records, fault) = readAll(reader)
        for record in records { lines.append(text(record)) }
        if let fault { throw fault }
        if let outcome = reader.outcome { lines.append(text(outcome)) }
    } catch { lines.append("error \(error)") }
    return lines.joined(separator: "\n") + "\n"
}

func hex(_ value: UInt64) -> String { String(value, radix: 16) }

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private func digest(_ bytes: [UInt8]) -> String {
    let sum = (bytes + [0]).withUnsafeBytes { checksum($0.baseAddress!, bytes.count) }
    return "\(bytes.count) bytes \(hex(sum))"
}

private func text(_ record: Record) -> String {
    switch record {
    case .event(let e, let changes):
        let a = e.arguments
        let arguments = [a.0, a.1, a.2, a.3, a.4, a.5].map { hex($0) }.joined(separator: ",")
        let shared = changes.map { "\($0.offset):\(hex($0.bytes))" }.joined(separator: " ")
        return "event \(e.sequence) cpu \(e.cpu) vcpu \(e.vcpu) \(e.kind) \(e.number) "
            + "\(e.from)>\(e.to) cycle \(e.cycle) instruction \(e.instruction) "
            + "rip \(hex(e.rip)) rsp \(hex(e.rsp)) error \(hex(UInt64(e.errorCode))) "
            + "cr2 \(hex(e.cr2)) arguments \(arguments) "
            + "digest \(e.digestKnown ? hex(e.digest) : "-") "
            + "shared \(e.sharedPageKnown ? "[\(shared)]" : "-")"
    case .eventReturn(let back):
        return "return \(back.event) cpu \(back.cpu) cycle \(back.cycle) "
            + "instruction \(back.instruction) result \(hex(back.result))"
    case .console(let console):
        return "console cpu \(console.cpu) cycle \(console.cycle) \(hex(console.bytes))"
    case .input(let input):
        return "input \(input.kind) cpu \(input.cpu) number \(input.number) "
            + "cycle \(input.cycle) instruction \(input.instruction) \(hex(input.bytes))"
    }
}

private func text(_ outcome: Outcome) -> String {
    "outcome \(outcome.kind.name) cpu \(outcome.cpu) exit \(outcome.exitCode) "
        + "cycles \(outcome.cycles) instructions \(outcome.instructions) "
        + "\(outcome.cpuInstructions) events \(outcome.events) returns \(outcome.returns) "
        + "digests \(hex(outcome.eventDigest)) \(hex(outcome.machineDigest)) "
        + "reason \(outcome.reason)"
}
