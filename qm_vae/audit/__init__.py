"""Audits the pictures of any tool: privacy and utility of an original and a protected folder."""
