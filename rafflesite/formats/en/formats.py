"""How the admin writes an instant by itself: as everywhere in it, with its zone."""

DATETIME_FORMAT = "Y-m-d H:i T"
