"""Writes stand-ins for the CUDA libraries that PyTorch's wheel is linked to.

The wheel on PyPI cannot be imported without them: 2 GB that a processor never calls. A stand-in has the names that
the wheel's libraries look up, and no code behind them.
"""

from __future__ import annotations

import collections
import pathlib
import re
import subprocess
import sys
import tempfile

# Those of the system, and the driver, which PyTorch does without.
OTHERS = re.compile(r"(lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+|cuda)|ld-linux.*)\.so\.\d+")
UNDEFINED = re.compile(r"\*UND\*\s+\w+\s+(\((?P<version>\S+)\)|Base)?\s+(?P<name>\w+)$")


def main(lib: pathlib.Path) -> None:
    """Fills `lib`, the folder `torch/lib`, with the libraries that are needed there and that nobody else has."""
    here = {file.name for file in [*lib.iterdir(), *lib.glob("../../nvidia/*/lib/*")]}
    needed: set[str] = set()
    names: dict[str, set[str]] = collections.defaultdict(set)
    for library in lib.glob("*.so"):
        dump = subprocess.run(["objdump", "-pT", library], capture_output=True, text=True, check=True)
        for line in dump.stdout.splitlines():
            if line.startswith("  NEEDED"):
                needed.add(line.split()[1])
            elif found := UNDEFINED.search(line):
                names[found["version"] or ""].add(found["name"])
    for library in sorted(needed - here):
        if not OTHERS.fullmatch(library):
            version = "NVSHMEM" if library.startswith("libnvshmem") else library
            stem = library.removeprefix("lib").partition(".")[0].lower()
            bare = {name for name in names[""] if name.lower().startswith(stem)}
            write(lib / library, version, names[version] | bare)


def write(library: pathlib.Path, version: str, names: set[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "names.c")
        source.write_text("".join(f"void {name}(void) {{ __builtin_trap(); }}\n" for name in sorted(names)))
        versions = pathlib.Path(folder, "versions")
        versions.write_text(f"{version} {{ global: *; }};\n")
        flags = ["-shared", "-nostdlib", "-w", f"-Wl,-soname,{library.name}"]
        subprocess.run(
            ["cc", *flags, f"-Wl,--version-script={versions}", str(source), "-o", str(library)],
            check=True,
        )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
