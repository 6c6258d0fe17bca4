"""The atomic decision in Redis: scripts, what they are told, and the two ways to call them."""
