"""What chapter 02, additive attention, brings with it."""
