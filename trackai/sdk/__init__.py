"""What a training script uses: runs, the active run, and the store behind them."""
