"""How gunicorn serves the site; started in this folder, it reads this file by itself.

Command-line options and WEB_CONCURRENCY (processes) take precedence.
"""

import os

wsgi_app = "rafflesite.wsgi"
workers = int(os.environ.get("WEB_CONCURRENCY") or os.cpu_count() or 1)
worker_class = "gthread"
threads = 4  # each with a connection to the database
http_parser = "fast"

# Two spellings of a header must never be merged: a stranger's X_Forwarded_For is dropped. Whether a
# proxy is believed is up to the application (TRUSTED_PROXIES), not the server.
header_map = "drop"
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

keepalive = 130  # longer than proxies keep a connection, so that they are the ones to close it
graceful_timeout = 20
control_socket_disable = True  # it would be in the home directory of the user, who may have none
