"""Derivatives, by transforming the IR: the reverse pass, loops, forward mode."""
