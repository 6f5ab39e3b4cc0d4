"""For tests of programs that embed e2ee: both ends in memory, and whoever is between them.

Nothing here is of use to a program that is not under test. docs/testing-your-program.md shows it.
"""
