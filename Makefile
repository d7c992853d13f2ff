# The developer's entry points. `make demo` and `make test` install what is missing and run from a
# fresh clone; the rest is for daily work. See CONTRIBUTING.md.

SWIFT ?= swift
RELEASE = .build/release/pvreplay
DEMO = .build/demo

.PHONY: demo test build bench bench-linux lint format setup rerecord second-opinion \
	executor-oracle system-oracle native-oracle linux linux-user other-kernels clean

demo: build
	@mkdir -p $(DEMO)
	$(RELEASE) record --output $(DEMO)/boot.pvt
	$(RELEASE) replay $(DEMO)/boot.pvt
	$(RELEASE) info $(DEMO)/boot.pvt

# The suite runs against the release executable too (exit codes, kill -9, QEMU comparison).
test: build
	$(SWIFT) build --build-tests
	PVREPLAY=$(CURDIR)/$(RELEASE) $(SWIFT) test --skip-build

build: setup
	$(SWIFT) build -c release --product pvreplay

bench: build
	Benchmarks/run --pvreplay $(CURDIR)/$(RELEASE)

# Linux's boot and workload under pvreplay and QEMU: CPU time and memory, with bounds.
bench-linux: build
	Benchmarks/linux --pvreplay $(CURDIR)/$(RELEASE)

lint: setup
	$(SWIFT) format lint --strict --recursive Sources Tests Plugins Package.swift

format:
	$(SWIFT) format --in-place --recursive Sources Tests Plugins Package.swift

setup:
	@Tools/setup

# Re-records the golden traces in Traces/ and every stored expectation.
rerecord: build
	Tools/rerecord $(CURDIR)/$(RELEASE)

# The decoder against iced-x86 (from PyPI), over 1.9 million instructions.
second-opinion: setup
	Tools/second-opinion/run

# The executors against one another: the golden traces, and kernels that do what no sane guest does.
SEED ?= 1
GUESTS ?= 1000
executor-oracle: setup
	$(SWIFT) build -c release --product executor-oracle
	.build/release/executor-oracle traces --seed $(SEED) --count 4 Traces/*.pvt
	.build/release/executor-oracle guests --seed $(SEED) --count $(GUESTS)

# The system half against QEMU and Bochs (from PyPI): MATRIX_CASES of the paging matrix, and a tenth
# as many random cases, of each vendor.
MATRIX_CASES ?= 10000
system-oracle: setup
	Tools/system-oracle/run --seed $(SEED) --count $(MATRIX_CASES)

# Instructions at CPL 3 against the processor that this runs on: CASES of each subject.
CASES ?= 200000
native-oracle: setup
	NATIVE_SEED=$(SEED) NATIVE_CASES=$(CASES) $(SWIFT) test --filter FamiliesNativeTests

# Debian's Linux, fetched with apt: booted, recorded and replayed on one and two CPUs, with disks too.
linux: build
	@Tools/setup modules
	Tools/linux/run $(CURDIR)/$(RELEASE)

# Programs of 64 and 32 bits under that Linux against this computer: faults and single steps.
linux-user: build
	Tools/linux-user/run $(CURDIR)/$(RELEASE)

# Kernels that are not Linux, fetched with apt. LONG=1 boots Linux under Xen too.
other-kernels: build
	LONG=$(LONG) Tools/other-kernels/run $(CURDIR)/$(RELEASE)

clean:
	rm -rf .build
