/// Until decoded blocks exist nothing else has to be forgotten.
extension CPU {
    /// Bytes of a page that holds decoded code are about to change.
    func codeWritten(physical: UInt64, size: Int) {
        pointee.shared.pointee.pageFlags[Int(truncatingIfNeeded: physical &>> 12)] &=
            ~PageFlag.code
    }
}
