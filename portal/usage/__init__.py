"""Usage by day and by model, as chart, table and file."""
