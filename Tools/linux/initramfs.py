"""Writes an initramfs: initramfs.py INIT BUSYBOX OUTPUT [MODULE ...]. A gzipped cpio archive in the
`newc` form (Linux, Documentation/driver-api/early-userspace/buffer-format.rst) with no clock in it:
the same files give the same bytes."""

import gzip
import pathlib
import sys

DIRECTORY, FILE, CHARACTER = 0o040755, 0o100755, 0o020600


def entry(number, name, mode, data=b"", device=(0, 0)):
    links = 2 if mode == DIRECTORY else 1
    # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    fields = [number, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return pad(head) + pad(data)


def pad(data):
    return data + b"\0" * (-len(data) % 4)


def main():
    init, busybox, output, *modules = map(pathlib.Path, sys.argv[1:])
    entries = [
        ("bin", DIRECTORY, b"", (0, 0)),
        ("dev", DIRECTORY, b"", (0, 0)),
        ("dev/console", CHARACTER, b"", (5, 1)),
        ("bin/busybox", FILE, busybox.read_bytes(), (0, 0)),
        ("bin/sh", FILE, b"", (0, 0)),
        ("init", FILE, init.read_bytes(), (0, 0)),
    ]
    if modules:
        entries.append(("modules", DIRECTORY, b"", (0, 0)))
    for module in modules:
        entries.append((f"modules/{module.name}", FILE, module.read_bytes(), (0, 0)))
    archive = b""
    for number, (name, mode, data, device) in enumerate(entries, start=1):
        if name == "bin/sh":  # a symbolic link
            mode, data = 0o120777, b"busybox"
        archive += entry(number, name, mode, data, device)
    archive += entry(0, "TRAILER!!!", 0)
    output.write_bytes(gzip.compress(archive, compresslevel=6, mtime=0))


if __name__ == "__main__":
    main()
