import Testing

@testable import Linux

/// The tables of system calls, and how calls and results are printed. What is expected comes from
/// the manual pages of section 2.
@Suite struct SystemCallTests {
    @Test func bothTablesAreWhole() {
        let calls: [(SystemCalls, UInt32, String)] = [
            (.x86_64, 0, "read"), (.x86_64, 59, "execve"), (.x86_64, 257, "openat"),
            (.x86_64, 334, "rseq"), (.x86_64, 439, "faccessat2"), (.i386, 1, "exit"),
            (.i386, 4, "write"), (.i386, 102, "socketcall"), (.i386, 295, "openat"),
            (.i386, 403, "clock_gettime64"),
        ]
        for (table, number, name) in calls {
            #expect(table.name(number) == name)
            #expect(table.number(name) == number)
        }
        #expect(SystemCalls.x86_64.name(5000) == nil)
    }

    @Test func argumentsArePrintedByTheirKind() {
        let x = SystemCalls.x86_64
        #expect(
            x.arguments(257, [0xFFFF_FF9C, 0x7FFE_1000, 0x80000, 0o644, 1, 2])
                == "-100, 0x7ffe1000, 0x80000, 0644")
        #expect(
            x.arguments(9, [0, 4096, 3, 0x22, .max, 0]) == "NULL, 4096, 0x3, 0x22, -1, 0x0")
        #expect(x.arguments(257, [3, 16, 0, 0, 0, 0]) == "3, 0x10, 0x0, 0")
        #expect(x.arguments(8, [3, UInt64(bitPattern: -1), 2, 0, 0, 0]) == "3, -1, 2")
        #expect(x.arguments(39, [1, 2, 3, 4, 5, 6]) == "")
        #expect(
            SystemCalls.i386.arguments(4, [1, 0xFFFF_8000_0804_8000, 5, 0, 0, 0])
                == "1, 0x8048000, 5")
        // mmap2 has six.
        #expect(
            SystemCalls.i386.arguments(192, [0, 4096, 3, 0x22, 0xFFFF_FFFF])
                == "NULL, 4096, 0x3, 0x22, -1, ...")
    }

    @Test func resultsAreNumbersErrorsOrAddresses() {
        let x = SystemCalls.x86_64
        #expect(x.result(3) == "3")
        #expect(x.result(UInt64(bitPattern: -2)) == "-2 ENOENT")
        #expect(x.result(UInt64(bitPattern: -133)) == "-133 EHWPOISON")
        #expect(x.result(0x7F12_3456_7000) == "0x7f1234567000")
        #expect(x.result(UInt64(bitPattern: -41)) == "0xffffffffffffffd7")
        #expect(SystemCalls.i386.result(0xFFFF_FFFE) == "-2 ENOENT")
        #expect(SystemCalls.i386.result(0xB7F0_0000) == "0xb7f00000")
    }
}
