"""`./lumos test` and `./lumos check`: what a developer runs; never imported by the product."""
