"""Being a witness of other operators' logs: read, remembered, then signed."""
