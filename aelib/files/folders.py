"""A folder of data files as people have them: names in any spelling, checksums in any common form."""

import codecs
import os
import re
import time

from aelib.files.archives import opened, reading, short

_CHECKSUM = re.compile(  # as GNU's sha256sum, PowerShell's Get-FileHash, BSD's sha256 and OpenSSL write it
    r"\\?(?:sha256\s+)?([0-9a-f]{64})\s+\*?(\S.*)|\\?sha(?:2-)?256 ?\((.+)\) ?= ?([0-9a-f]{64})", re.IGNORECASE
)
_NO_CHECKSUM = re.compile(r"([#;].*|-[- ]*|algorithm\s+hash\s+path)?", re.IGNORECASE)  # comments, and a table's head


def checksums(path):
    """Return what a SHA256SUMS file lists: {name in lower case, without its folder: {digest, ...}}."""
    with opened(path) as file, reading(path):
        data = file.read(2**20)
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Windows PowerShell writes so
    try:
        lines = data.decode("utf-16" if wide else "utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text ({short(error)}): expected lines of a digest and a name") from None
    sums = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if found := _CHECKSUM.fullmatch(line):
            digest, name = found[1] or found[4], found[2] or found[3]
            sums.setdefault(re.split(r"[\\/]", name)[-1].lower(), set()).add(digest.lower())
        elif not _NO_CHECKSUM.fullmatch(line):
            raise ValueError(f"{path}, line {number}: {short(repr(line))} is no SHA-256 digest with a name")
    return sums


def listing(folder):
    """Return the files of a folder: {name in lower case: path}."""
    try:
        with reading(folder):
            return {name.lower(): folder / name for name in sorted(os.listdir(folder))}
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no folder {folder}: put the four MNIST files into one, and name it with load_mnist(path) or the "
            "environment variable AELIB_DATA"
        ) from None


def state(present):
    """Return what tells the data files and checksums of a listing from any others: names, sizes, times of change.

    Files changed in the last two seconds are like no others, as a further change may leave size and time as they are.
    """
    files = [path for name, path in present.items() if "idx" in name or name == "sha256sums"]
    try:
        found = [
            (str(path), about.st_ino, about.st_size, about.st_mtime_ns) for path in files if (about := path.stat())
        ]
    except OSError:  # reading them says what is wrong
        return object()
    young = any(time.time_ns() - changed < 2e9 for *_, changed in found)
    return object() if young else tuple(found)


def find(folder, present, sums, stem):
    """Return the path of the file that is called like ``stem``, and the digests listed for it, or None."""
    names = [name + packing for name in (stem, stem.replace("-idx", ".idx")) for packing in (".gz", "")]
    path = next((present[name] for name in names if name in present), None)
    if path is None:
        raise FileNotFoundError(
            f"{folder / names[0]} is missing: expected the four MNIST files there, packed or not; copy them to that "
            "folder, or name another with load_mnist(path) or the environment variable AELIB_DATA"
        )
    if sums is None:
        return path, None
    digests = set().union(*(sums.get(name, ()) for name in names))
    if not digests:
        raise ValueError(f"{present['sha256sums']} does not list {path.name}: add its checksum, or remove the list")
    return path, digests
