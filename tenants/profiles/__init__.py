"""What a type of tenant grants, what single tenants have instead, and what holds in the end and why."""
