"""The bytes of logged files, addressed by content, in a folder or a bucket."""
