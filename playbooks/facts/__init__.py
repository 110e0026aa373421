"""What is asked of hosts: a command and a pure parser each."""
