#!/bin/sh
# Builds the platform guest: build.sh OUTPUT.elf, with clang and ld.lld from PATH.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
objects=
for source in *.S *.c; do
    clang -target i386-unknown-none-elf -ffreestanding -nostdinc -mgeneral-regs-only -fno-pic \
        -fno-stack-protector -fno-builtin -fno-strict-aliasing -std=gnu2x -O1 -Wall -Wextra -Werror \
        -c "$source" -o "$work/$source.o"
    objects="$objects $work/$source.o"
done
# shellcheck disable=SC2086
ld.lld -m elf_i386 -static -nostdlib -z noexecstack --build-id=none -T link.ld -o "$1" $objects
