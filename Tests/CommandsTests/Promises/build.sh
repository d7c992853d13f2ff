#!/bin/sh
# Builds the kernel that holds the processor to its promises: build.sh OUTPUT.elf, with clang and
# ld.lld from PATH.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
objects=
for source in *.S *.c; do
    clang -target x86_64-unknown-none-elf -ffreestanding -nostdinc -mgeneral-regs-only \
        -mno-red-zone -fno-pic -fno-stack-protector -fno-builtin -fno-strict-aliasing -std=gnu2x -O1 \
        -Wall -Wextra -Werror -c "$source" -o "$work/$source.o"
    objects="$objects $work/$source.o"
done
# shellcheck disable=SC2086
ld.lld -m elf_x86_64 -static -nostdlib -z noexecstack -z max-page-size=4096 --build-id=none \
    -T link.ld -o "$1" $objects
