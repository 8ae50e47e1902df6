"""One file a page: what it needs, put together for its template."""
