import Trace

/// What an address is called.
public struct SourcePlace: Equatable, Sendable {
    /// Of the image ("host", "guest"); empty for a kernel that is alone.
    public var image: String
    /// Nil if no symbol covers the address.
    public var symbol: String?
    /// From the symbol's start (from the image's first address without a symbol).
    public var offset: UInt64
    /// As the compiler was given it; nil without debug information.
    public var file: String?
    public var line: Int?

    /// `host!do_page_fault+0x3a`.
    public var name: String {
        let place = offset == 0 ? "" : "+0x" + String(offset, radix: 16)
        return (image.isEmpty ? "" : image + "!") + (symbol ?? "?") + place
    }

    /// `host/traps.c:41`, or nil.
    public var source: String? {
        guard let file, let line else { return nil }
        return "\(file):\(line)"
    }
}

/// Names and source lines of the addresses of several images. User programs of host and guest lie
/// at the same addresses, so an image is looked up first by the contexts in which it is mapped.
public struct SymbolTable: Sendable {
    /// An image's symbols, ready to be searched.
    struct Image: Sendable {
        var name: String
        var contexts: [Context]
        var ranges: [Range<UInt64>]
        var symbols: ELFSymbols?
        var lines: LineTable?
        /// By how much it runs above the addresses in its file.
        var slide: UInt64 = 0
    }

    private var images: [Image] = []
    /// What could not be read, image by image. Such an image's addresses are shown without what
    /// is missing.
    public private(set) var faults: [String] = []

    public init() {}

    /// Adds an ELF image. `contexts` are those in which it runs, `slide` by how much above its own
    /// addresses.
    public mutating func add(
        image bytes: [UInt8], name: String, contexts: [Context], slide: UInt64 = 0
    ) {
        do throws(SymbolError) {
            let file = try ELFSections(bytes)
            var image = Image(name: name, contexts: contexts, ranges: Self.ranges(file))
            image.slide = slide
            do throws(SymbolError) {
                image.symbols = try ELFSymbols(file)
            } catch { faults.append("\(name): \(error)") }
            let lines = LineTable(file)
            image.lines = lines
            faults += lines.faults.map { "\(name): \($0)" }
            images.append(image)
        } catch { faults.append("\(name): \(error)") }
    }

    /// Notes what could not be read.
    mutating func note(_ fault: String) { faults.append(fault) }

    /// Adds names that do not come from an ELF file, for the addresses of some ranges.
    mutating func add(
        symbols: [ELFSymbol], ranges: [Range<UInt64>], name: String, contexts: [Context]
    ) {
        images.append(
            Image(
                name: name, contexts: contexts, ranges: ranges, symbols: ELFSymbols(symbols),
                lines: nil))
    }

    /// The addresses of the sections that are loaded.
    private static func ranges(_ file: ELFSections) -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        for section in file.sections
        where section.flags & ELFSections.allocated != 0 && section.size > 0 {
            let (end, overflow) = section.address.addingReportingOverflow(section.size)
            if !overflow { ranges.append(section.address..<end) }
        }
        return ranges.sorted { $0.lowerBound < $1.lowerBound }
    }

    /// What lies at an address. Images of `context` are asked first, then the others, each in the
    /// order in which they were added; nil if none covers the address.
    public func lookup(_ address: UInt64, in context: Context? = nil) -> SourcePlace? {
        if let context {
            for image in images where image.contexts.contains(context) {
                if let place = Self.place(address, image) { return place }
            }
        }
        for image in images {
            if let context, image.contexts.contains(context) { continue }
            if let place = Self.place(address, image) { return place }
        }
        return nil
    }

    private static func place(_ absolute: UInt64, _ image: Image) -> SourcePlace? {
        let address = absolute &- image.slide
        guard let range = image.ranges.first(where: { $0.contains(address) }) else { return nil }
        var place = SourcePlace(image: image.name, symbol: nil, offset: 0)
        // The symbol must be of the same section as the address.
        if let symbol = image.symbols?.find(address), range.contains(symbol.address) {
            place.symbol = symbol.name
            place.offset = address - symbol.address
        } else {
            place.offset = address - range.lowerBound
        }
        if let (file, line) = image.lines?.find(address) {
            place.file = file
            place.line = line
        }
        return place
    }

    /// The address of a symbol, and its image's name; `image` restricts the search.
    public func address(of symbol: String, image: String? = nil) -> UInt64? {
        for candidate in images where image == nil || candidate.name == image {
            if let found = candidate.symbols?.find(named: symbol) {
                return found.address &+ candidate.slide
            }
        }
        return nil
    }
}
