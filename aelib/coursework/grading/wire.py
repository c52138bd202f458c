"""How values travel between the judge and the process of an answer.

What the judge sends is pickled; it is the judge's own. What an answer sends is never unpickled: ``encode`` and
``decode`` know None, ..., numbers, words, lists, tuples, dicts and arrays of numbers. Any other object stays where it
is, and its number is sent. Arrays that share memory on one side share it on the other.
"""

import io
import json
import pickle
import struct
import types

import numpy as np

KINDS = "biufcU"  # of arrays that may travel
DEEPEST, LONGEST = 50, 10**6  # lists in lists; letters of a word
SHARED = 16 << 20  # bytes: a view of a larger array travels as an array of its own


class Handle:
    """An object that stayed in the other process."""

    def __init__(self, number):
        self.number = number


def encode(value, keep):
    """Return a value as bytes; ``keep(object)`` returns the number of an object that stays here."""
    arrays = []

    def tree(v, depth=0):
        if depth > DEEPEST:
            raise ValueError("the value is nested too deeply")
        if isinstance(v, str) and len(v) > LONGEST:
            raise ValueError(f"a word of {len(v)} letters")
        if v is None or v is ... or isinstance(v, (bool, str)):
            return ["e"] if v is ... else v
        if isinstance(v, (np.ndarray, np.generic)) and v.dtype.kind in KINDS:
            a = np.asarray(v, v.dtype.newbyteorder("="))
            arrays.append(a.tobytes())
            return ["a", a.dtype.str, list(a.shape), isinstance(v, np.generic)]
        if isinstance(v, int):
            return ["i", hex(v)]
        if isinstance(v, float):
            return ["f", v.hex()]
        if isinstance(v, complex):
            return ["c", v.real.hex(), v.imag.hex()]
        if isinstance(v, (list, tuple)):
            return ["t" if isinstance(v, tuple) else "l", [tree(part, depth + 1) for part in v]]
        if isinstance(v, dict):
            return ["d", [[tree(key, depth + 1), tree(part, depth + 1)] for key, part in v.items()]]
        return ["o", keep(v)]

    head = json.dumps(tree(value)).encode()
    return struct.pack("<Q", len(head)) + head + b"".join(arrays)


def decode(data, handle):
    """Return the value that ``encode`` made bytes of; ``handle(number)`` returns what stands for an object kept there.

    Raises:
        ValueError: the bytes were made by something else.
    """
    try:
        (size,) = struct.unpack_from("<Q", data)
        head, position = json.loads(data[8 : 8 + size]), 8 + size

        def build(v):
            nonlocal position
            if v is None or isinstance(v, (bool, str)):
                return v
            kind, *rest = v
            if kind == "e":
                return ...
            if kind == "i":
                return int(rest[0], 16)
            if kind == "f":
                return float.fromhex(rest[0])
            if kind == "c":
                return complex(*map(float.fromhex, rest))
            if kind == "a":
                dtype = np.dtype(rest[0])
                if dtype.kind not in KINDS:
                    raise ValueError(kind)
                count = int(np.prod(rest[1], dtype=np.int64))
                a = (
                    np.frombuffer(data, dtype, count, position).reshape(rest[1]).copy()
                    if count
                    else np.zeros(rest[1], dtype)
                )
                position += a.nbytes
                return a[()] if rest[2] else a
            if kind in ("t", "l"):
                parts = [build(part) for part in rest[0]]
                return tuple(parts) if kind == "t" else parts
            if kind == "d":
                return {build(key): build(part) for key, part in rest[0]}
            if kind == "o":
                return handle(int(rest[0]))
            raise ValueError(kind)

        return build(head)
    except (ValueError, TypeError, IndexError, KeyError, struct.error, RecursionError, MemoryError, OverflowError):
        raise ValueError("the answer's process sent what is no value") from None


class _Pickler(pickle.Pickler):
    def __init__(self, stream, arrays, keep):
        super().__init__(stream, protocol=5)
        self.arrays, self.keep = arrays, keep

    def persistent_id(self, obj):
        if isinstance(obj, Handle):
            return "theirs", obj.number
        if type(obj) is np.ndarray and obj.dtype.kind in KINDS:
            owner = obj
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            if owner.nbytes > SHARED or owner.dtype.kind not in KINDS or not owner.flags.forc:
                owner = obj
            place = next((i for i, a in enumerate(self.arrays) if a is owner), len(self.arrays))
            if place == len(self.arrays):
                self.arrays.append(owner)
            if owner is obj:
                return "array", place, obj.dtype.str, obj.shape, 0, _strides(obj)
            start = obj.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
            return "array", place, obj.dtype.str, obj.shape, start, obj.strides
        if isinstance(obj, (types.FunctionType, types.MethodType)):
            return "ours", self.keep(obj)
        return None


def _strides(a):
    return a.strides if a.flags.forc else np.empty_like(a, order="C").strides


def dump(value, keep):
    """Return (bytes, arrays) of the judge's own value: arrays are those whose memory the other side may change."""
    stream, arrays = io.BytesIO(), []
    _Pickler(stream, arrays, keep).dump(value)
    body = stream.getvalue()
    data = [a.tobytes("A" if a.flags.forc else "C") for a in arrays]
    head = pickle.dumps([(a.dtype.str, a.shape, _strides(a), len(d)) for a, d in zip(arrays, data, strict=True)])
    return struct.pack("<QQ", len(head), len(body)) + head + body + b"".join(data), arrays


def load(data, theirs, ours):
    """Return (value, arrays) of what the judge dumped; for the process of an answer only.

    Args:
        data: bytes.
        theirs: function of a number, returning this process's object.
        ours: function of a number, returning what calls the judge's function.
    """
    head_size, body_size = struct.unpack_from("<QQ", data)
    position = 16 + head_size + body_size
    arrays = []
    for dtype, shape, strides, size in pickle.loads(data[16 : 16 + head_size]):
        memory = np.frombuffer(bytearray(data[position : position + size]) or bytearray(1), np.uint8)
        arrays.append(np.ndarray(shape, dtype, memory, 0, strides))
        position += size

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, found):
            kind, *rest = found
            if kind == "array":
                place, dtype, shape, start, strides = rest
                return np.ndarray(shape, dtype, arrays[place].base, start, strides)
            return (theirs if kind == "theirs" else ours)(*rest)

    return Unpickler(io.BytesIO(data[16 + head_size : 16 + head_size + body_size])).load(), arrays
