"""Geometry of charts as plain values; templates draw them as SVG. Pure."""
