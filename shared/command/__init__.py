"""The `hotdog` command, one file per family of subcommands."""
