"""What the end-to-end tests and the demo share: a private PostgreSQL cluster, a scripted image
origin, a webhook receiver and a running gateway. Debian's own Python and psycopg2 suffice."""
