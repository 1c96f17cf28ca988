"""What acts in a round, one channel a file: oracles publish, keepers liquidate and sell, arbitrage carries prices to the outside and back."""
