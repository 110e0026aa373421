"""The only package that imports Ray: a thin actor over `farm.node` and the pool of them."""
