"""For each lab's exercises: answers that must fail, and right answers written another way."""

TO_CONVERT = {  # remove the line of a lab whose exercises are in form
    "05_embeddings",
}
