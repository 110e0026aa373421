"""What is done to hosts over SSH: facts, steps and the runner that carries them out."""
