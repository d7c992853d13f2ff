import Machine
import Testing

@testable import Replay

@Suite struct InjectionTests {
    @Test func textGivesTheInjection() throws {
        #expect(Injection("nmi@event:500") == Injection(.nmi, at: .event(500)))
        #expect(Injection("mce@cycle:0x1000") == Injection(.machineCheck, at: .cycle(0x1000)))
        #expect(
            Injection("irq:0x30@instruction:7,cpu:1")
                == Injection(.interrupt(0x30), at: .instruction(7), cpu: 1))
    }

    @Test(arguments: [
        "", "nmi", "@", "nmi@", "nmi@event", "nmi@event:", "nmi@event:x", "irq@event:1",
        "irq:15@event:1", "irq:256@event:1", "nmi@event:1,cpu:64", "nmi@event:1,cpu:1,x:2",
        "nmi@event:1@cycle:2", "smi@event:1", "nmi@cpu:1", "nmi@event:-1",
    ])
    func otherTextGivesNothing(_ text: String) {
        #expect(Injection(text) == nil)
    }
}
