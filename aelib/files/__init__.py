"""The files of aelib: arrays in .npz, text and JSON. Written atomically; read with bounded memory, without pickle.

Whatever is wrong with a file that is read is one sentence with its path, a FileNotFoundError, PermissionError or
ValueError.
"""

from aelib.files.archives import load_json, load_npz, opened, parse_json, reading, save_npz, save_text, short

__all__ = ["load_json", "load_npz", "opened", "parse_json", "reading", "save_npz", "save_text", "short"]
