"""What chapter 06, many heads, brings with it."""
