"""How fast sessions are, beside what they are made of and what else there is.

``python -m benchmarks`` from the root of the repository.
"""
