"""What chapter 10, the whole Transformer, brings with it."""
