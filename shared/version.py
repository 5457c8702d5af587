"""The version of this project, which the package, `hotdog --version` and every record take from here."""

DISTRIBUTION = "hotdog-twice"  # its name in a package index, where `hotdog` is another project
VERSION = "0.2.0"
