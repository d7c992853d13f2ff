import Machine
import Trace

/// A `pc`'s disks and consoles in a trace's metadata, written and read side by side.
extension SessionConfiguration {
    private static func diskKey(_ n: Int, _ what: String) -> String { "disk.\(n).\(what)" }
    private static let consoleKey = "console"
    private static let inputKey = "console.input"
    private static let virtioName = "virtio"

    func addDevices(to pairs: inout TraceMetadata) {
        for (n, disk) in disks.enumerated() {
            pairs[Self.diskKey(n, "name")] = disk.name
            pairs[Self.diskKey(n, "size")] = String(disk.size)
            pairs[Self.diskKey(n, "access")] = disk.isReadOnly ? "read" : "write"
        }
        if hasVirtioConsole { pairs[Self.consoleKey] = Self.virtioName }
        if consoleInput == .virtio { pairs[Self.inputKey] = Self.virtioName }
    }

    mutating func readDevices(_ pairs: TraceMetadata) throws(ReplayError) {
        while let name = pairs[Self.diskKey(disks.count, "name")] {
            let sizeKey = Self.diskKey(disks.count, "size")
            let accessKey = Self.diskKey(disks.count, "access")
            guard let size = pairs[sizeKey].flatMap({ UInt64($0) }), size > 0 else {
                throw .metadata(key: sizeKey, value: pairs[sizeKey])
            }
            guard let access = pairs[accessKey], access == "read" || access == "write" else {
                throw .metadata(key: accessKey, value: pairs[accessKey])
            }
            disks.append(SessionDisk(name: name, size: size, isReadOnly: access == "read"))
        }
        hasVirtioConsole = try Self.isVirtio(Self.consoleKey, pairs)
        consoleInput = try Self.isVirtio(Self.inputKey, pairs) ? .virtio : .serial
    }

    private static func isVirtio(
        _ key: String, _ pairs: TraceMetadata
    ) throws(ReplayError) -> Bool {
        guard let value = pairs[key] else { return false }
        guard value == virtioName else { throw .metadata(key: key, value: value) }
        return true
    }
}
