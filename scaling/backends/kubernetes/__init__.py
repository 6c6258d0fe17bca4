"""Tenants' workers in a Kubernetes cluster: what has to be there, as manifests; nothing here talks to a cluster."""
