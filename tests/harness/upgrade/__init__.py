"""What test_upgrade.py compares: the objects of the extension, and version 0.1.0 as it was."""
