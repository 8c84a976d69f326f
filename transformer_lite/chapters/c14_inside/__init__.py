"""What chapter 14, looking inside, brings with it."""
