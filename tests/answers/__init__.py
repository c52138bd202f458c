"""For each lab's exercises: answers that must fail, and right answers written another way."""

TO_CONVERT = set()  # names of labs whose exercises are not in form yet
