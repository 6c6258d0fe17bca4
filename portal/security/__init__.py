"""A member's factors, recovery codes and sessions, as the portal draws them."""
