"""Walks over a graph that note something at its nodes: `shape_prop`."""
