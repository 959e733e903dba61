"""What the runtimes of this folder have in common."""
