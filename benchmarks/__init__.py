"""Side by side with peers, in one process, alternating; results are compared before they are timed."""
