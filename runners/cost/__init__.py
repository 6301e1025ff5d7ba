"""What a sweep would cost."""
