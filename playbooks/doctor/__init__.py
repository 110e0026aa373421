"""What is wrong with a host, judged from its facts alone."""
