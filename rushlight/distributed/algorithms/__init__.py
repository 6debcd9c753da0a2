"""Algorithms of training by several processes: `join`."""
