"""Reading runs back: files and servers."""
