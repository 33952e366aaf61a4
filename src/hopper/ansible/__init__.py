"""Ansible: finding the collection, running playbooks, reading what they say."""
