import Replay
import Trace

extension SymbolTable {
    /// The symbols of a session's images, called `host` and `guest`.
    public init(of configuration: SessionConfiguration) {
        self.init()
        add(image: configuration.host.bytes, name: "host", contexts: [.hostKernel, .hostUser])
        if let guest = configuration.guest {
            add(image: guest.bytes, name: "guest", contexts: [.guestKernel, .guestUser])
        }
    }
}
