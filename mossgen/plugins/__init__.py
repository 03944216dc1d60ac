"""What can be added from outside: the Protocols, the registry, and one folder a kind."""
