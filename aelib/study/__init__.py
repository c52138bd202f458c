"""The report's experiments at full size: declared, run, stored, drawn. ``python -m aelib.study --help``."""
