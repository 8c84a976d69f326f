"""What chapter 07, masks, brings with it."""
