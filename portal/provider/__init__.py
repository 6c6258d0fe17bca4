"""The workspace's identity provider, entered by whoever manages its members."""
