"""What chapter 16, real translation, brings with it."""
