import Foundation
import X86

@testable import Machine

/// x87 and SSE state as the oracle's protocol has it (Tools/native-oracle/main.c); 416 bytes.
struct NativeVectors {
    static let bytes = 416
    var xmm = [UInt64](repeating: 0, count: 32)
    /// ST(0)...ST(7), two words each.
    var x87 = [UInt64](repeating: 0, count: 16)
    var mxcsr: UInt32 = 0x1F80
    var control: UInt16 = 0x37F
    var status: UInt16 = 0
    /// One bit for each physical register that is not empty.
    var tags: UInt16 = 0
    var opcode: UInt16 = 0
    var instructionPointer: UInt64 = 0
    var dataPointer: UInt64 = 0
}

extension CPU {
    /// Takes x87 and SSE state in the oracle's form.
    func adopt(_ v: NativeVectors) {
        let state = vectorState
        UnsafeMutableRawPointer(state).copyMemory(from: v.xmm, byteCount: 256)
        let top = Int(v.status >> 11) & 7
        for n in 0..<16 { x87Words[(2 * top + n) & 15] = v.x87[n] }
        state.pointee.mxcsr = v.mxcsr
        state.pointee.controlWord = v.control
        state.pointee.statusWord = v.status
        state.pointee.tagWord = 0
        for n in 0..<8 where v.tags >> UInt16(n) & 1 == 0 {
            state.pointee.tagWord |= 3 << UInt16(2 * n)
        }
        state.pointee.lastOpcode = v.opcode
        state.pointee.instructionPointer = v.instructionPointer
        state.pointee.dataPointer = v.dataPointer
    }
}

/// One instruction to run, with all it can see.
struct NativeCase {
    /// 64-bit mode, or 32-bit compatibility mode.
    var mode = CodeSize.bits64
    var bytes: [UInt8] = []
    var registers = [UInt64](repeating: 0, count: 16)
    var flags: UInt64 = 2
    var vectors = NativeVectors()
    /// What the data window holds at an offset, beside the pattern.
    var patch: (offset: Int, bytes: [UInt8])?
    /// Whether it may load segment registers.
    var loadsSegments = false
}

/// What an instruction did.
struct NativeOutcome {
    /// `completed` or an exception's vector.
    var vector: UInt8 = NativeOutcome.completed
    var errorCode: UInt32 = 0
    var cr2: UInt64 = 0
    var rip: UInt64 = 0
    var registers = [UInt64](repeating: 0, count: 16)
    var flags: UInt64 = 0
    var vectors = NativeVectors()
    /// DS, ES, FS, GS; of cases that may load them.
    var selectors: [UInt16] = [0, 0, 0, 0]
    /// Words of the data window that changed: offset and new value.
    var changes: [UInt64] = []

    static let completed: UInt8 = 0xFF
}

/// Bytes written and read in the order of the oracle's structures, little-endian.
struct NativeBytes {
    var data = Data()
    var at = 0

    mutating func put<T: FixedWidthInteger>(_ v: T) {
        withUnsafeBytes(of: v.littleEndian) { data.append(contentsOf: $0) }
    }

    mutating func take<T: FixedWidthInteger>(_ type: T.Type) -> T {
        let size = T.bitWidth / 8
        let v = data.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: T.self) }
        at += size
        return T(littleEndian: v)
    }

    mutating func put(_ words: [UInt64]) {
        words.withUnsafeBytes { data.append(contentsOf: $0) }
    }

    mutating func take(words count: Int) -> [UInt64] {
        let words = [UInt64](unsafeUninitializedCapacity: count) { buffer, used in
            data.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(buffer).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: $0[at..<at + count * 8]))
            }
            used = count
        }
        at += count * 8
        return words
    }

    mutating func put(_ v: NativeVectors) {
        put(v.xmm)
        put(v.x87)
        put(v.mxcsr)
        put(v.control)
        put(v.status)
        put(v.tags)
        put(v.opcode)
        for _ in 0..<2 { put(UInt16(0)) }
        put(v.instructionPointer)
        put(v.dataPointer)
    }

    mutating func takeVectors() -> NativeVectors {
        var v = NativeVectors()
        v.xmm = take(words: 32)
        v.x87 = take(words: 16)
        v.mxcsr = take(UInt32.self)
        v.control = take(UInt16.self)
        v.status = take(UInt16.self)
        v.tags = take(UInt16.self)
        v.opcode = take(UInt16.self)
        for _ in 0..<2 { _ = take(UInt16.self) }
        v.instructionPointer = take(UInt64.self)
        v.dataPointer = take(UInt64.self)
        return v
    }

    mutating func put(_ c: NativeCase) {
        var length = UInt8(c.bytes.count) | (c.mode == .bits32 ? 0x80 : 0)
        length |= (c.patch == nil ? 0 : 0x40) | (c.loadsSegments ? 0x20 : 0)
        put(length)
        data.append(contentsOf: c.bytes)
        for _ in c.bytes.count..<15 { put(UInt8(0)) }
        put(c.registers)
        put(c.flags)
        put(c.vectors)
        guard let patch = c.patch else { return }
        put(UInt16(patch.offset))
        put(UInt16(patch.bytes.count))
        data.append(contentsOf: patch.bytes)
    }

    mutating func takeOutcome() -> NativeOutcome {
        var o = NativeOutcome()
        o.vector = take(UInt8.self)
        for _ in 0..<3 { _ = take(UInt8.self) }
        o.errorCode = take(UInt32.self)
        o.cr2 = take(UInt64.self)
        o.rip = take(UInt64.self)
        o.registers = take(words: 16)
        o.flags = take(UInt64.self)
        o.vectors = takeVectors()
        for n in 0..<4 { o.selectors[n] = take(UInt16.self) }
        let changed = take(UInt64.self)
        o.changes = take(words: Int(changed) * 2)
        return o
    }
}

/// Runs cases on the real processor, in a child process.
enum NativeOracle {
    /// The tool, built beside the tests; nil where this host cannot run it.
    static var tool: URL? {
        #if arch(x86_64) && os(Linux)
            var folder = URL(fileURLWithPath: CommandLine.arguments[0])
            while folder.path != "/" {
                folder.deleteLastPathComponent()
                let tool = folder.appendingPathComponent("native-oracle")
                var isFolder: ObjCBool = false
                if FileManager.default.fileExists(atPath: tool.path, isDirectory: &isFolder),
                    !isFolder.boolValue
                {
                    return tool
                }
            }
            return nil
        #else
            return nil
        #endif
    }

    /// The host's kernel gives nobody a local descriptor table.
    struct NoLocalTable: Error {}

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    static func run(_ cases: [NativeCase]) throws -> [NativeOutcome] {
        guard let tool else { throw Failure(description: "native-oracle has not been built") }
        var input = NativeBytes()
        for c in cases { input.put(c) }
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("native-oracle-\(ProcessInfo.processInfo.globallyUniqueString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let requests = folder.appendingPathComponent("requests")
        let replies = folder.appendingPathComponent("replies")
        try input.data.write(to: requests)
        try Data().write(to: replies)
        let process = Process()
        process.executableURL = tool
        process.standardInput = try FileHandle(forReadingFrom: requests)
        process.standardOutput = try FileHandle(forWritingTo: replies)
        try process.run()
        process.waitUntilExit()
        if process.terminationStatus == 4 { throw NoLocalTable() }
        guard process.terminationStatus == 0 else {
            throw Failure(description: "native-oracle exit \(process.terminationStatus)")
        }
        var output = NativeBytes(data: try Data(contentsOf: replies))
        return cases.map { _ in output.takeOutcome() }
    }
}
