"""What an assistant may ask (Model Context Protocol): ``haidang mcp``. Everything here only reads."""
