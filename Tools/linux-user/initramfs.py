"""Writes an initramfs whose first process is a program: initramfs.py PROBE64 PROBE32 OUTPUT. The
form is that of Tools/linux/initramfs.py."""

import gzip
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "linux"))
from initramfs import CHARACTER, DIRECTORY, FILE, entry


def main():
    probe64, probe32, output = map(pathlib.Path, sys.argv[1:])
    archive = b"".join(
        [
            entry(1, "dev", DIRECTORY),
            entry(2, "dev/console", CHARACTER, b"", (5, 1)),
            entry(3, "init", FILE, probe64.read_bytes()),
            entry(4, "probe32", FILE, probe32.read_bytes()),
            entry(0, "TRAILER!!!", 0),
        ]
    )
    output.write_bytes(gzip.compress(archive, compresslevel=6, mtime=0))


if __name__ == "__main__":
    main()
