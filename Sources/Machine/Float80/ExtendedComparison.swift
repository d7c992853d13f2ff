/// Ordering and classes of extended numbers (Intel SDM vol. 2, FCOM, FUCOM, FXAM).
extension FloatControl {
    enum Order {
        case less, equal, greater, unordered
    }

    /// Compares; IE for a signalling NaN or an unsupported format, and unless `quiet` for any NaN.
    mutating func compare(_ a: Extended, _ b: Extended, quiet: Bool) -> Order {
        if a.isUnsupported || b.isUnsupported {
            raised |= FloatControl.invalid
            return .unordered
        }
        if a.isNaN || b.isNaN {
            if !quiet || a.isSignalingNaN || b.isSignalingNaN { raised |= FloatControl.invalid }
            return .unordered
        }
        noteDenormals(a, b)
        if a.isZero && b.isZero { return .equal }
        if a.isNegative != b.isNegative { return a.isNegative ? .less : .greater }
        // A pseudo-denormal has the value of the normal number with the exponent 1.
        let x = (max(a.biasedExponent, 1), a.significand)
        let y = (max(b.biasedExponent, 1), b.significand)
        if x == y { return .equal }
        return (x < y) != a.isNegative ? .less : .greater
    }
}
