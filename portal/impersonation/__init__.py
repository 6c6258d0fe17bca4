"""The door by which an operator comes in, and what an operator who is in may ask for: to change things, to leave."""
