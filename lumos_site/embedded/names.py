"""What the roles and the database of an embedded cluster are called."""

SUPERUSER, OWNER, DATABASE = "postgres", "lumos", "lumos"
