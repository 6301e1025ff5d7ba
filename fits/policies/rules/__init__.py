"""The rules of policies, one file each."""
