/// One field in which two results differ.
struct Difference {
    var field: String
    var ours: UInt64
    var theirs: UInt64
}

/// Compares results, field by field and then byte by byte of the area.
enum Comparison {
    static func differences(_ ours: UnsafeRawPointer, _ theirs: UnsafeRawPointer) -> [Difference] {
        let (a, b) = (ours.word(0, 4), theirs.word(0, 4))
        if a != b { return [Difference(field: "status", ours: a, theirs: b)] }
        if a != Status.done { return [] }
        var found: [Difference] = []
        for field in ResultField.all {
            let (a, b) = (
                ours.word(field.offset, field.size), theirs.word(field.offset, field.size)
            )
            if a != b { found.append(Difference(field: field.name, ours: a, theirs: b)) }
        }
        var offset = Layout.headSize
        for (start, size) in Layout.parts {
            for at in stride(from: 0, to: size, by: 4) {
                let (a, b) = (ours.word(offset + at, 4), theirs.word(offset + at, 4))
                if a == b { continue }
                found.append(Difference(field: place(start + at), ours: a, theirs: b))
            }
            offset += size
        }
        return found
    }

    /// A name for an address of the area.
    private static func place(_ linear: Int) -> String {
        let places = [
            ("gdt", Layout.gdt), ("ldt", Layout.ldt), ("tss", Layout.tss), ("tssA", Layout.tssA),
            ("tssB", Layout.tssB), ("tssDF", Layout.tssDoubleFault), ("tss16", Layout.tss16),
            ("idt", Layout.idt), ("code", Layout.code), ("stack", Layout.kernelStack),
            ("data", Layout.data),
        ]
        let found = places.last { $0.1 <= linear } ?? places[0]
        return "\(found.0)+\(String(linear - found.1, radix: 16))"
    }
}
