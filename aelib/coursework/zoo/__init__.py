"""The bug zoo: implementations with planted bugs, for a student's checks to tell from the right ones."""
