"""Starting processes anew when they fail; only `record` is here."""
