"""What README.md and chapter.md are made of: quoted code, tables, pictures, notebooks."""
