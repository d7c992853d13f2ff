// The executors against one another, on recorded traces and on guests that do what no sane guest
// does.
//
// `guests` makes a kernel from each seed, runs it under each executor cut at random places,
// compares the whole machines at every cut, records it and replays the recording; `check` does the
// same with kernels from files: one that `write` has made, or any other. `traces` replays traces
// under each executor, cut likewise. A crash, or a guest that takes two minutes, names its seed.

import Glibc

var command = OracleCommand(Array(CommandLine.arguments.dropFirst()))
exit(command.run())
