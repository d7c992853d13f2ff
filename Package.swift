// swift-tools-version: 6.2
import PackageDescription

/// The hot modules are optimised in debug builds too: an unoptimised interpreter is fifty times
/// slower than the tests can bear. Preconditions and overflow traps stay on in every build.
/// Run-time exclusivity checks do not: they cost a tenth of a recording, and the state they would
/// guard lies behind raw pointers, where they see nothing (the compiler's static checks stay).
let hot: [SwiftSetting] = [
    .unsafeFlags(["-O"], .when(configuration: .debug)),
    .unsafeFlags(["-enforce-exclusivity=unchecked"]),
]

let package = Package(
    name: "pvreplay",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "pvreplay", targets: ["pvreplay"]),
        .library(name: "PVReplay", targets: ["X86", "Machine", "Trace", "Paravirt", "Replay"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
    ],
    targets: [
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(
            name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),

        .target(name: "X86", swiftSettings: hot),
        .target(name: "Machine", dependencies: ["X86", "CXXHash"], swiftSettings: hot),
        .target(name: "Trace", dependencies: ["CZstd", "CXXHash"], swiftSettings: hot),
        .target(
            name: "Paravirt", dependencies: ["X86", "Machine", "Trace", "CXXHash"],
            swiftSettings: hot),
        .target(
            name: "Replay", dependencies: ["X86", "Machine", "Trace", "Paravirt", "CCrypto"],
            swiftSettings: hot),
        .target(
            name: "Analysis", dependencies: ["X86", "Machine", "Trace", "Paravirt", "Replay"],
            swiftSettings: hot),
        .target(
            name: "CostProfiles", dependencies: ["X86", "Machine"],
            resources: [
                .embedInCode("Profiles/core2.json"), .embedInCode("Profiles/zen3.json"),
            ]),
        .target(
            name: "Linux", dependencies: ["X86", "Machine"],
            resources: [
                .embedInCode("Tables/syscalls-x86_64.txt"),
                .embedInCode("Tables/syscalls-i386.txt"),
            ]),
        .target(
            name: "Report",
            dependencies: ["X86", "Machine", "Trace", "Paravirt", "Replay", "Analysis", "Linux"]),
        .plugin(name: "KernelBuilder", capability: .buildTool(), path: "Plugins/KernelBuilder"),
        .target(
            name: "Kernels", exclude: ["Images"], plugins: ["KernelBuilder"]),
        .target(
            name: "PVReplayCommands",
            dependencies: [
                "X86", "Machine", "Trace", "Paravirt", "Replay", "Analysis", "CostProfiles",
                "Report", "Kernels",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(name: "pvreplay", dependencies: ["PVReplayCommands"]),
        .executableTarget(name: "isa-tool", dependencies: ["X86"]),
        // Numbers by seed, for tests and oracles; never shipped.
        .target(name: "SeededRandom", path: "Tools/SeededRandom", swiftSettings: hot),
        // Runs instructions on the host's processor, for MachineTests; never shipped.
        .executableTarget(name: "native-oracle", path: "Tools/native-oracle"),
        // Compares the executors on traces and on hostile guests; never shipped.
        .executableTarget(
            name: "executor-oracle",
            dependencies: ["X86", "Machine", "Trace", "Replay", "SeededRandom"],
            path: "Tools/executor-oracle", swiftSettings: hot),
        // Compares the system half with other emulators; never shipped.
        .executableTarget(
            name: "system-oracle", dependencies: ["X86", "Machine", "SeededRandom"],
            path: "Tools/system-oracle",
            exclude: [
                "harness.S", "harness-real-mode.S", "harness-data.S", "bochs.py", "shim.c", "run",
                "known-differences.txt",
            ],
            swiftSettings: hot),

        .testTarget(name: "X86Tests", dependencies: ["X86"], exclude: ["Cases"]),
        .testTarget(
            name: "MachineTests",
            dependencies: ["Machine", "X86", "native-oracle", "SeededRandom"]),
        .testTarget(
            name: "TraceTests", dependencies: ["Trace", "SeededRandom"],
            exclude: ["Traces", "Snapshots"]),
        .testTarget(
            name: "AnalysisTests",
            dependencies: ["Analysis", "Report", "Trace", "Replay", "Machine"],
            exclude: ["Snapshots"]),
        .testTarget(
            name: "ReportTests", dependencies: ["Report", "Trace", "X86", "Kernels"],
            exclude: ["Fixtures", "Snapshots"]),
        .testTarget(name: "LinuxTests", dependencies: ["Linux", "Machine"]),
        .testTarget(name: "CostProfileTests", dependencies: ["CostProfiles", "Machine", "X86"]),
        .testTarget(
            name: "ReplayTests", dependencies: ["Replay", "Trace", "Kernels", "Machine", "X86"]),
        .testTarget(
            name: "CommandsTests", dependencies: ["PVReplayCommands", "Report", "executor-oracle"],
            exclude: ["Platform", "Crashers", "Promises", "KernelSupport"]),
        .testTarget(name: "KernelsTests", dependencies: ["Kernels"], exclude: ["Hostile"]),
        .testTarget(name: "TidyTests"),
    ]
)
