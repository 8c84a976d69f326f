"""What chapter 15, why self-attention, brings with it."""
