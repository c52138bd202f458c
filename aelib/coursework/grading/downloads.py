"""What a learning platform gives an instructor: whose files are whose, by the names that the platform gives.

Known are a folder for each student; Moodle's folders ``Name_1234567_assignsubmission_file_`` (and ``_onlinetext_``);
Canvas's flat files ``lastfirst_LATE_1234_56789_name.ipynb``; Blackboard's
``Lab_s1234567_attempt_2027-01-31-12-00-00_name``; and archives of any of these, and in any of these.
"""

import io
import re
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

MOODLE = re.compile(r"^(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?P<kind>file|onlinetext)_?$", re.IGNORECASE)
CANVAS = re.compile(r"^(?P<name>[^\W_]+)(?:_(?P<late>LATE))?_(?P<id>\d+)_(?P<file>\d+)_(?P<rest>.+)$")
BLACKBOARD = re.compile(r"^(?P<lab>.+?)_(?P<name>[^_]+)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<rest>.+)|\.txt)$")
LARGEST, MOST, DEEPEST = 64 << 20, 1000, 3  # bytes of a file; files of an archive; archives in archives
IGNORED = ("__MACOSX", ".ipynb_checkpoints", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass
class File:
    """One notebook that was handed in.

    Attributes:
        name: where it stands, for notes.
        data: its bytes.
        time: when it was last changed or handed in, seconds since 1970; None where that is not known.
    """

    name: str
    data: bytes
    time: float | None = None


@dataclass
class Student:
    """What one student handed in.

    Attributes:
        name: as the platform gives it; unique in a course.
        id: the platform's number of the student, or "".
        folders: names of the platform's folders of this student, as they are given back.
        files: list of ``File``, notebooks alone.
        notes: what could not be used, one line each.
    """

    name: str
    id: str = ""
    folders: list = field(default_factory=list)
    files: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def students(folder):
    """Return the students of a folder or an archive that a platform made, sorted by name.

    Raises:
        FileNotFoundError: there is no such folder, or nobody in it.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"no folder {folder}")
    found = {}
    for place, name, read, changed in _entries(folder):
        top, _, below = place.partition("/")
        key, student, label, at = _whose(top, below)
        if key is None:
            continue
        who = found.setdefault(key, student)
        if student.folders and student.folders[0] not in who.folders:
            who.folders.append(student.folders[0])
        if name is not None:
            _take(who, label or name, read, at or changed, 0)
    if not found:
        raise FileNotFoundError(
            f"no folder in {folder}: expected one for each student, or what Moodle, Canvas or Blackboard gives"
        )
    named = {}
    for who in found.values():
        named.setdefault(who.name, []).append(who)
    for alike in named.values():
        for who in alike if len(alike) > 1 else ():
            who.name = f"{who.name} ({who.id or who.folders[0]})"
    return sorted(found.values(), key=lambda who: who.name)


def _whose(top, below):
    """Return (key, ``Student``, name of the file, its time) of a place, with key None where it is nobody's."""
    if below:
        if match := MOODLE.match(top):
            return ("moodle", match["id"]), Student(match["name"], match["id"], [top]), _moodle(below, match), None
        return ("folder", top), Student(top, "", [top]), below, None
    if match := MOODLE.match(top):
        return ("moodle", match["id"]), Student(match["name"], match["id"], [top]), "", None
    if match := BLACKBOARD.match(top):
        at = time.mktime(time.strptime(match["time"], "%Y-%m-%d-%H-%M-%S"))
        return ("blackboard", match["name"]), Student(match["name"], match["name"]), match["rest"] or "", at
    if (match := CANVAS.match(top)) and "." in match["rest"]:
        return ("canvas", match["id"]), Student(match["name"], match["id"]), match["rest"], None
    return None, None, "", None


def _moodle(below, match):
    return f"online text: {below}" if match["kind"].lower() == "onlinetext" else below


def _entries(folder):
    """Yield (place below the folder, name or None of an empty folder, function that reads it, time of change)."""
    if folder.is_file():
        if not zipfile.is_zipfile(folder):
            raise FileNotFoundError(f"{folder} is no folder and no .zip archive")
        with zipfile.ZipFile(folder) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir() and not _ignored(info.filename)]
            tops = {info.filename.split("/")[0] for info in infos}
            alone = len(tops) == 1 and not MOODLE.match(next(iter(tops))) and all("/" in i.filename for i in infos)
            nested = alone and all(info.filename.count("/") > 1 for info in infos)
            for info in infos:
                place = info.filename.split("/", 1)[1] if nested else info.filename
                data = _unpacked(archive, info)
                yield place, place.split("/")[-1], (lambda data=data: data), time.mktime((*info.date_time, 0, 0, -1))
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or _ignored(path.name):
            continue
        if path.is_dir():
            if not path.is_symlink():
                yield from _below(folder, path)
        elif path.is_file():
            yield path.name, path.name, path, path.stat().st_mtime


def _below(folder, student):
    empty = True
    for path in sorted(student.rglob("*")):
        place = path.relative_to(folder).as_posix()
        if _ignored(place) or path.is_dir():
            continue
        empty = False
        yield place, path.name, path, path.lstat().st_mtime
    if empty:
        top = student.name
        yield f"{top}/.", None, None, None


def _ignored(place):
    return any(part in IGNORED or part.startswith("._") for part in place.split("/"))


def _unpacked(archive, info):
    """Return the bytes of an archive's entry, None where it is too large."""
    if info.file_size > LARGEST:
        return None
    with archive.open(info) as stream:
        data = stream.read(LARGEST + 1)
    return data if len(data) <= LARGEST else None


def _take(student, name, read, changed, depth):
    """Add one file to what a student handed in, or a note on why it is not used."""
    lower = name.lower()
    if isinstance(read, Path) and read.is_symlink():
        student.notes.append(f"{name} is a link: it is not followed")
        return
    if not lower.endswith((".ipynb", ".zip")):
        if not (lower.endswith(".txt") and not name) and name:
            student.notes.append(f"{name} cannot be read: expected a notebook (.ipynb) or an archive (.zip)")
        return
    try:
        if isinstance(read, Path) and read.stat().st_size > LARGEST:
            data = None
        else:
            data = read.read_bytes() if isinstance(read, Path) else read()
    except OSError as error:
        student.notes.append(f"{name} cannot be read: {error.strerror or error}")
        return
    if data is None:
        student.notes.append(f"{name} cannot be read: it is larger than {LARGEST >> 20} MB")
    elif lower.endswith(".ipynb"):
        student.files.append(File(name, data, changed))
    elif depth == DEEPEST:
        student.notes.append(f"{name} cannot be read: archives in archives, {DEEPEST} deep")
    else:
        _open(student, name, data, depth)


def _open(student, name, data, depth):
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir() and not _ignored(info.filename)]
            if len(infos) > MOST:
                raise ValueError(f"it holds more than {MOST} files")
            for info in infos:
                at = time.mktime((*info.date_time, 0, 0, -1))
                below = _unpacked(archive, info)
                _take(student, f"{name}/{info.filename}", lambda below=below: below, at, depth + 1)
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        student.notes.append(f"{name} cannot be opened: {error}")
