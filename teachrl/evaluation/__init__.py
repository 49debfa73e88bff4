"""Fixed tests of a student, and what may be concluded from them."""
