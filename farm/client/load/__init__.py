"""Load for a farm: requests that keep coming, and what becomes of them."""
