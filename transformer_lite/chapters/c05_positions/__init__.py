"""What chapter 05, positions, brings with it."""
