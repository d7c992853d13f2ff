import Replay
import Trace

extension SymbolTable {
    /// The symbols of a session's images, called `host` and `guest`.
    public init(of configuration: SessionConfiguration) {
        self.init()
        // What a PC boots need not be an ELF file.
        let isELF = configuration.host.bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46])
        if configuration.platform == .pc, !isELF { return }
        add(image: configuration.host.bytes, name: "host", contexts: [.hostKernel, .hostUser])
        if let guest = configuration.guest {
            add(image: guest.bytes, name: "guest", contexts: [.guestKernel, .guestUser])
        }
    }
}
