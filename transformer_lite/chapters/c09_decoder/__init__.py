"""What chapter 09, the decoder, brings with it."""
