"""What chapter 13, decoding and BLEU, brings with it."""
