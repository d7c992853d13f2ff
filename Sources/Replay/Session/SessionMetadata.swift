import Machine
import Paravirt
import Trace
import X86

/// The session's description as a trace's metadata: text pairs in a fixed order. Encoder and
/// decoder stand side by side; each is the other's inverse.
extension SessionConfiguration {
    /// The version that writes traces; the format has a number of its own.
    public static let toolVersion = "0.1.0"

    private typealias Key = TraceMetadata.Key
    private static let cycleLimitKey = "limit.cycles"
    private static let instructionLimitKey = "limit.instructions"

    private static let editionKey = "machine.edition"
    private static let epochKey = "epoch"
    private static let platformKey = "platform"
    private static let platformName = "pc"
    private static let calls32Key = "calls32"
    private static func moduleKey(_ n: Int, _ what: String) -> String { "module.\(n).\(what)" }

    public var metadata: TraceMetadata {
        var pairs = TraceMetadata()
        pairs[Key.tool] = "pvreplay \(Self.toolVersion)"
        pairs[Key.design] = design
        pairs[Key.hostSHA256] = host.sha256
        pairs[Key.guestSHA256] = guest?.sha256
        pairs[Key.commandLine] = commandLine
        pairs[Key.cpuModel] = Self.name(of: vendor)
        pairs[Key.memory] = String(memory)
        pairs[Key.cpus] = String(cpus)
        pairs[Key.level] = Self.name(of: level)
        pairs[Key.seed] = String(seed)
        pairs[Self.cycleLimitKey] = String(limits.cycles)
        pairs[Self.instructionLimitKey] = String(limits.instructions)
        pairs[Key.costProfile] = costs.name
        pairs[Key.costFigures] = costs.namedClasses
            .map { "\($0)=\(costs[$0])" }.joined(separator: ",")
        // Traces from before machines had editions do not name one.
        if edition != .first { pairs[Self.editionKey] = String(edition.rawValue) }
        guard platform == .pc else { return pairs }
        pairs[Self.platformKey] = Self.platformName
        pairs[Self.epochKey] = String(epoch)
        if calls32 != .none { pairs[Self.calls32Key] = String(calls32.rawValue) }
        for (n, module) in modules.enumerated() {
            pairs[Self.moduleKey(n, "sha256")] = module.image.sha256
            pairs[Self.moduleKey(n, "commandLine")] = module.commandLine
        }
        addDevices(to: &pairs)
        return pairs
    }

    /// Reads what a trace says of its session, images included.
    /// - Throws: `ReplayError.metadata` where something is missing or makes no sense, and where an
    ///   image is not the one whose SHA-256 the metadata tell.
    public init(_ reader: TraceReader) throws(ReplayError) {
        let pairs = reader.metadata
        func text(_ key: String) throws(ReplayError) -> String {
            guard let value = pairs[key] else { throw .metadata(key: key, value: nil) }
            return value
        }
        func number<T: FixedWidthInteger>(_ key: String) throws(ReplayError) -> T {
            let value = try text(key)
            guard let number = T(value) else { throw .metadata(key: key, value: value) }
            return number
        }
        guard let host = try Self.image(.host, Key.hostSHA256, reader) else {
            throw .metadata(key: Key.hostSHA256, value: nil)
        }
        self.host = host
        guest = try Self.image(.guest, Key.guestSHA256, reader)
        design = try text(Key.design)
        commandLine = try text(Key.commandLine)
        memory = try number(Key.memory)
        cpus = try number(Key.cpus)
        let model = try text(Key.cpuModel)
        guard let vendor = Vendor.allCases.first(where: { Self.name(of: $0) == model }) else {
            throw .metadata(key: Key.cpuModel, value: model)
        }
        self.vendor = vendor
        let levelName = try text(Key.level)
        guard
            let level = ObservationLevel.allCases.first(where: { Self.name(of: $0) == levelName })
        else { throw .metadata(key: Key.level, value: levelName) }
        self.level = level
        seed = try number(Key.seed)
        limits.cycles = try number(Self.cycleLimitKey)
        limits.instructions = try number(Self.instructionLimitKey)
        costs = try Self.costs(name: try text(Key.costProfile), try text(Key.costFigures))
        edition = try Self.edition(pairs[Self.editionKey])
        guard let name = pairs[Self.platformKey] else { return }
        guard name == Self.platformName else {
            throw .metadata(key: Self.platformKey, value: name)
        }
        platform = .pc
        epoch = try number(Self.epochKey)
        calls32 = try Self.calls32(pairs[Self.calls32Key])
        modules = try Self.modules(reader)
        try readDevices(pairs)
    }

    private static func calls32(_ value: String?) throws(ReplayError) -> Calls32 {
        guard let value else { return .none }
        guard let calls = UInt8(value).flatMap(Calls32.init) else {
            throw .metadata(key: calls32Key, value: value)
        }
        return calls
    }

    private static func edition(_ value: String?) throws(ReplayError) -> MachineEdition {
        guard let value else { return .first }
        guard let edition = UInt8(value).flatMap(MachineEdition.init) else {
            throw .metadata(key: editionKey, value: value)
        }
        return edition
    }

    /// Modules are the images of no other role, in order, each with its metadata.
    private static func modules(_ reader: TraceReader) throws(ReplayError) -> [SessionModule] {
        var modules: [SessionModule] = []
        for (number, record) in reader.images.enumerated() where record.role == .other {
            let key = moduleKey(modules.count, "sha256")
            let image: SessionImage
            do {
                image = SessionImage(name: record.name, bytes: try reader.loadImage(number))
            } catch {
                throw .trace(error)
            }
            let textKey = moduleKey(modules.count, "commandLine")
            guard image.sha256 == reader.metadata[key] else {
                throw .metadata(key: key, value: reader.metadata[key])
            }
            guard let text = reader.metadata[textKey] else {
                throw .metadata(key: textKey, value: nil)
            }
            modules.append(SessionModule(image: image, commandLine: text))
        }
        let missing = moduleKey(modules.count, "sha256")
        if let value = reader.metadata[missing] { throw .metadata(key: missing, value: value) }
        return modules
    }

    private static func image(
        _ role: TraceImage.Role, _ key: String, _ reader: TraceReader
    ) throws(ReplayError) -> SessionImage? {
        guard let number = reader.images.firstIndex(where: { $0.role == role }) else { return nil }
        do {
            let image = SessionImage(
                name: reader.images[number].name, bytes: try reader.loadImage(number))
            guard image.sha256 == reader.metadata[key] else {
                throw ReplayError.metadata(key: key, value: reader.metadata[key])
            }
            return image
        } catch let error as TraceError {
            throw .trace(error)
        } catch let error as ReplayError {
            throw error
        } catch {
            preconditionFailure("only these two are thrown")
        }
    }

    private static func costs(
        name: String, _ figures: String
    ) throws(ReplayError) -> CostProfile {
        var pairs: [(name: Substring, cycles: UInt16)] = []
        for pair in figures.split(separator: ",") {
            let halves = pair.split(separator: "=")
            guard halves.count == 2, let cycles = UInt16(halves[1]) else {
                throw .metadata(key: Key.costFigures, value: figures)
            }
            pairs.append((halves[0], cycles))
        }
        // Traces from before translations were charged do not name their classes.
        let isFirst = !pairs.contains { $0.name == "\(CostClass.tlbMiss)" }
        var costs = CostProfile(name: name, edition: isFirst ? .first : .second)
        for cost in costs.namedClasses {
            guard let pair = pairs.first(where: { $0.name == "\(cost)" }) else {
                throw .metadata(key: Key.costFigures, value: figures)
            }
            costs[cost] = pair.cycles
        }
        if isFirst {
            costs[.interruptTableLoad] = costs[.tableLoad]
            costs[.localTableLoad] = costs[.tableLoad]
        }
        return costs
    }

    public static func name(of vendor: Vendor) -> String {
        switch vendor {
        case .intel: "intel"
        case .amd: "amd"
        }
    }

    public static func name(of level: ObservationLevel) -> String {
        switch level {
        case .paths: "paths"
        case .tables: "tables"
        }
    }
}

extension SessionConfiguration {
    /// Creates the trace of this session: metadata and images are in it when this returns.
    public func makeWriter(path: String) throws(ReplayError) -> TraceWriter {
        var options = TraceWriterOptions()
        options.sharedSize = try paravirtLayout()?.sharedSize ?? 0
        do {
            let writer = try TraceWriter(path: path, metadata: metadata, options: options)
            try writer.append(image: host.record(.host), contents: host.bytes)
            if let guest {
                try writer.append(image: guest.record(.guest), contents: guest.bytes)
            }
            for module in modules {
                try writer.append(
                    image: module.image.record(.other), contents: module.image.bytes)
            }
            return writer
        } catch {
            throw .trace(error)
        }
    }
}
