"""Attached tables without a worker: what their triggers note stays to be looked at."""

import contextlib

from ..cluster import Cluster

OWNER = "shopkeeper"
SETTINGS = {"max_prepared_transactions": "10", "wal_level": "logical", "client_min_messages": "warning"}


class QuietShop:
    """A cluster with imgpress, which no worker serves, and a user of imgpress who owns tables."""

    def __init__(self, cluster, database="shop"):
        self.cluster = cluster
        self.database = database

    def sql(self, statement, parameters=None, user=OWNER):
        return self.cluster.query(statement, parameters, self.database, user)

    def root(self, statement, parameters=None):
        return self.cluster.query(statement, parameters, self.database)

    def session(self, user=OWNER, **options):
        return self.cluster.session(self.database, user, **options)

    def attach(self, table, key="id", url="url", output="small", more="", user=OWNER):
        """Attaches a table, which may be a string of columns for a new one; returns the id."""
        columns = ", ".join(f"'{name}'" for name in ([key] if isinstance(key, str) else key))
        key = columns if isinstance(key, str) else f"ARRAY[{columns}]"
        call = f"SELECT imgpress.attach('{table}', {key}, '{url}', '{output}'{more})"
        return self.sql(call, user=user)[0][0]

    def keys(self, attachment=None):
        """The keys that the triggers have noted since the last call, in order; None: all rows."""
        rows = self.root(
            "WITH taken AS (DELETE FROM imgpress_internal.attached_keys k "
            "WHERE attachment_id = coalesce(%s, attachment_id) RETURNING keys, ctid) "
            "SELECT keys FROM taken ORDER BY ctid",
            (attachment,),
        )
        return [key for (keys,) in rows for key in ([None] if keys is None else keys)]

    def state(self, attachment):
        """(state, reason)"""
        return self.root(
            "SELECT state, reason FROM imgpress.attachments WHERE request_id = %s", (attachment,)
        )[0]


@contextlib.contextmanager
def quiet_shop(name):
    with Cluster(SETTINGS, "shop", ("imgpress",), name=name) as cluster:
        cluster.query("CREATE EXTENSION imgpress")
        cluster.query(f"CREATE ROLE {OWNER} LOGIN IN ROLE imgpress_user")
        cluster.query(f"GRANT CREATE ON DATABASE shop TO {OWNER}")
        cluster.query(f"CREATE SCHEMA shop AUTHORIZATION {OWNER}")
        cluster.query(f"ALTER ROLE {OWNER} SET search_path = shop, public")
        yield QuietShop(cluster)
