"""The gradient doctor: says which line of a student's pass is wrong, and how."""
