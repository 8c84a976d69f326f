"""What chapter 12, when the loss lies, brings with it."""
