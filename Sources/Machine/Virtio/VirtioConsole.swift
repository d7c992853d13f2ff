/// The console device (Virtio 1.2, 5.3): one port, whose output is console text, and an emergency
/// register for a driver that has no queue yet.
enum VirtioConsole {
    static let configurationSize: UInt32 = 12
    static let receiveQueue = 0
    static let transmitQueue = 1
    /// The register for emergency writes, in the device's configuration.
    static let emergencyWrite = 8
    static let features: UInt64 = 1 << 2
    /// The most text that one buffer may hold.
    static let maximumText: UInt64 = 1 << 20

    /// A word of the device's configuration (5.3.4): no size is known, there is one port.
    static func configurationWord(_ offset: Int) -> UInt32 { offset == 4 ? 1 : 0 }
}
