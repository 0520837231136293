"""What any framework's adapter stands on."""
