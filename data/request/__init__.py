"""What a request asks for: class, body parts and quantity, by the tables of `data/reference`."""
