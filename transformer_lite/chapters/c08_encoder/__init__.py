"""What chapter 08, the encoder, brings with it."""
