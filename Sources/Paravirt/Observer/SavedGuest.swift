import Machine

/// What a host keeps of a guest that does not run at the moment: the registers saved at its last
/// exit and the page tables it uses. Read from the host's memory, which may hold anything: every
/// read is checked.
public struct SavedGuest: Equatable, Sendable {
    /// From 0, as in the VCPU descriptor.
    public var id: UInt32
    /// Whether the guest's kernel ran; else one of its users.
    public var isKernel: Bool
    /// RAX RCX RDX RBX RSP RBP RSI RDI R8...R15, as instructions number them.
    public var general: [UInt64]
    public var rip: UInt64
    public var rflags: UInt64
    /// Physical address and bytes of the guest's memory.
    public var memory: UInt64
    public var memorySize: UInt64
    /// Guest-physical address of the root in use.
    public var root: UInt64
}

extension SavedGuest {
    /// The words of `struct guest_frame` (paravirt_abi.h) that hold general registers, in the
    /// order in which instructions number them, and those of RIP, RFLAGS and RSP.
    private static let generalWords = [10, 11, 12, 5, 20, 4, 13, 14, 9, 8, 7, 6, 3, 2, 1, 0]
    private static let ripWord = 17
    private static let rflagsWord = 19
    private static let frameWords = 22

    /// - Parameter pointer: kernel virtual address of the VCPU descriptor.
    /// - Returns: nil where the host has saved nothing, or does not say where.
    public init?(at pointer: UInt64, _ layout: ParavirtLayout, _ machine: Machine) {
        guard pointer != 0, let frameOffset = layout.vcpuFrame, let rootOffset = layout.vcpuRoot
        else { return nil }
        let view = PhysicalView(machine.cpu(0))
        let vcpu = layout.physical(pointer)
        let frame = layout.physical(view.word(vcpu &+ frameOffset))
        guard view.word(vcpu &+ frameOffset) != 0, view.bytes(frame, Self.frameWords * 8) != nil
        else { return nil }
        func word(_ number: Int) -> UInt64 { view.word(frame &+ UInt64(number) &* 8) }
        id = view.halfWord(vcpu &+ layout.vcpuID)
        isKernel = view.halfWord(vcpu &+ layout.vcpuKernelMode) != 0
        general = Self.generalWords.map(word)
        rip = word(Self.ripWord)
        rflags = word(Self.rflagsWord)
        memory = view.word(vcpu &+ layout.vcpuMemory)
        memorySize = view.word(vcpu &+ layout.vcpuMemorySize)
        root = view.word(vcpu &+ rootOffset)
    }

    /// Bytes at one of the guest's linear addresses, by the guest's own tables; nil where they map
    /// nothing. Rights are not checked and nothing is changed.
    public func read(_ address: UInt64, _ count: Int, _ machine: Machine) -> [UInt8]? {
        machine.readLinear(address, count: count) { linear in
            translate(linear, machine).flatMap { $0 < memorySize ? memory &+ $0 : nil }
        }
    }

    private func translate(_ linear: UInt64, _ machine: Machine) -> UInt64? {
        GuestTables(memory: memory, memorySize: memorySize, root: root)
            .translate(linear, PhysicalView(machine.cpu(0)))
    }
}

extension ParavirtLayout {
    /// The physical address behind one of the host's own virtual addresses.
    @inline(__always)
    func physical(_ pointer: UInt64) -> UInt64 {
        pointer >= textMap ? pointer &- textMap : pointer &- directMap
    }

    /// The VCPU descriptor that CPU `index`'s PDA names; 0 where no guest runs there.
    public func currentVCPU(cpu index: Int, _ machine: Machine) -> UInt64 {
        PhysicalView(machine.cpu(0)).word(pdaPhysical &+ UInt64(index) &* pdaStride &+ pdaVCPU)
    }

    /// Whether a VCPU's guest is in its kernel, by the descriptor.
    public func isKernelMode(_ pointer: UInt64, _ machine: Machine) -> Bool {
        PhysicalView(machine.cpu(0)).halfWord(physical(pointer) &+ vcpuKernelMode) != 0
    }

    /// Whether a VCPU's guest takes virtual interrupts; nil where the host does not say.
    public func takesInterrupts(_ pointer: UInt64, _ machine: Machine) -> Bool? {
        guard let offset = sharedInterrupts else { return nil }
        let view = PhysicalView(machine.cpu(0))
        let shared = view.word(physical(pointer) &+ vcpuShared)
        return view.halfWord(physical(shared) &+ offset) != 0
    }

    /// The VCPU whose guest decided how the run ended; 0 where none did or the host does not say.
    public func endedVCPU(_ machine: Machine) -> UInt64 {
        endedVCPUPhysical.map { PhysicalView(machine.cpu(0)).word($0) } ?? 0
    }
}
