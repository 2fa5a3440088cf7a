"""The public REST API of raffles: translate, call, answer."""
