"""Access: fetch recordings from the services that distribute them."""
