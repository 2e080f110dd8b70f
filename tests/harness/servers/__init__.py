"""What imgpress calls: an image origin and a webhook receiver, which do as a test tells them."""
