"""Who may do what on every surface: operators' fixed roles, and the matrix of roles and routes."""
