"""What hopper tells of things as JSON, and words for people: stable keys, times in UTC. Pure."""
