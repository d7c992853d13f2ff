import Trace

/// Reads records for whoever goes through a trace: counts them for the progress, and takes a place
/// at which the trace is damaged for its end.
final class ReadingTick {
    /// Where reading stopped, if not at the end.
    private(set) var fault: TraceError?
    private var count: UInt64 = 0
    private let progress: ((UInt64) -> Void)?

    /// Records between two calls of `progress`.
    static let interval: UInt64 = 1 << 16

    /// - Parameter progress: is told now and then how many records more were read.
    init(progress: ((UInt64) -> Void)? = nil) { self.progress = progress }

    /// The next record's kind; nil at the end and at a damaged place. Throws where reading the file
    /// fails.
    @inline(__always)
    func next(_ cursor: TraceCursor) throws(TraceError) -> RecordKind? {
        do throws(TraceError) {
            let kind = try cursor.next()
            count &+= 1
            if count & (Self.interval - 1) == 0 { progress?(Self.interval) }
            return kind
        } catch {
            if error.isSystem { throw error }
            fault = error
            return nil
        }
    }
}
