"""The report on trial: its claims, the evidence, and the rules of the verdicts."""
