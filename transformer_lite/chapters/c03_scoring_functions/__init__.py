"""What chapter 03, scoring functions, brings with it."""
