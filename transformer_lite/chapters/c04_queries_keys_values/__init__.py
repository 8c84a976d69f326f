"""What chapter 04, queries, keys and values, brings with it."""
