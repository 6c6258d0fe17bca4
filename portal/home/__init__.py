"""The first page: plan, meters, the last days, and what to do first."""
