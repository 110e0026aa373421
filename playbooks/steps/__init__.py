"""What is changed on hosts: generators of commands."""
