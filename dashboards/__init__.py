"""What people look at: the built-in pages and the interfaces behind them."""
