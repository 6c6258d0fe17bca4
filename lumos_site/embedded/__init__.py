"""PostgreSQL and Valkey from wheels, run as ordinary children; owns their files, accounts and options, no Django."""
