"""The public REST API of events: translate, call, answer."""
