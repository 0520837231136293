"""Bulk work: rows a second in one process and on Ray, over answers that take 200 ms."""
