"""The running bill, each line explained."""
