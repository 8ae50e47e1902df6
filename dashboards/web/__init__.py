"""The built-in pages: what people look at, served by the daemon itself."""
