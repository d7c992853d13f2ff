#!/bin/sh
# Rebuilds the fixtures: the sample with line numbers of DWARF 3, 4 and 5, and for every byte of its
# code what LLVM's symbolizer says of it ("address symbol file:line"), a second opinion on ours.
# Needs clang, ld.lld and llvm-symbolizer.
set -eu
cd "$(dirname "$0")"
for version in 3 4 5; do
    objects=
    for source in start.S sample.c; do
        object=/tmp/sample-$$-$source.o
        ${CLANG:-clang} -target x86_64-unknown-none-elf -ffreestanding -O1 -g -gdwarf-$version \
            -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -mno-red-zone \
            -mgeneral-regs-only -fno-pic -fno-ident \
            "-ffile-prefix-map=$PWD=." -fdebug-compilation-dir=. -c "$source" -o "$object"
        objects="$objects $object"
    done
    # shellcheck disable=SC2086
    ${LLD:-ld.lld} -static -nostdlib -z max-page-size=16 --build-id=none -T sample.ld -e start \
        -o sample-dwarf$version.elf $objects
    rm -f $objects
    i=0
    while [ $i -lt 256 ]; do
        printf '0x%x\n' $((1048576 + i))
        i=$((i + 1))
    done >/tmp/sample-$$.addresses
    llvm-symbolizer --obj=sample-dwarf$version.elf --no-inlines --output-style=GNU \
        --functions=linkage --addresses </tmp/sample-$$.addresses |
        paste - - - | sed 's/\.\///g; s/ (discriminator.*//' \
        >sample-dwarf$version.txt
    rm -f /tmp/sample-$$.addresses
done
