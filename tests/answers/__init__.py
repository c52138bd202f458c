"""For each lab's exercises: answers that must fail, and right answers written another way."""
