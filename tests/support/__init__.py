"""What several tests share: places, servers that answer as told, tiny models, runs made without any."""
