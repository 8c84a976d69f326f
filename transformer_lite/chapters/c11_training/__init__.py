"""What chapter 11, training, brings with it."""
