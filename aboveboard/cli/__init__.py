"""The command, one file a group; heavy imports live inside the commands."""
