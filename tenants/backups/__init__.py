"""One tenant's whole data as an encrypted file, and back: backup, export, restore, drill."""
