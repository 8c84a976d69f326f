"""What chapter 01, the bottleneck, brings with it."""
