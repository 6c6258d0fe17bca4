"""Where replicas run, one folder per kind of place; owns the choice among them and nothing else."""
