"""Power meters: what each kind says, whether it can be believed, and how much that adds up to."""
