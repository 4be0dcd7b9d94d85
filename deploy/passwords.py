"""`python -m deploy.passwords DATABASES SECRETS`: makes the passwords of the databases of compose, once.

DATABASES gets the files that the databases and `migrate` read: `mongo_key`, `mongo_password`, `redis.conf`, and
`leadscore_mongo_uri`, with which migrate logs in as the administrator of MongoDB. SECRETS/<service> gets
`leadscore_redis_url` and, for automation, `leadscore_secret_keys`; `migrate --with-users SECRETS` adds the
`leadscore_mongo_uri` of the service's own user. Passwords and keys that exist are kept. Only their owner can read the
files.
"""

import sys
from pathlib import Path

from shared.private_files import make_private, secret_in, write_private
from shared.secrets import keys_in

ADMINISTRATOR = "administrator"
"""The user of MongoDB that its container creates, who may do everything."""
CALLERS_OF_REDIS = ("ingest", "scoring", "automation")
REDIS = """\
# Redis is only a doorbell and needs no persistence: the sweeper replaces lost rings.
save ""
appendonly no
requirepass {password}
"""


def main() -> None:
    """Makes what is missing."""
    databases, secrets = map(Path, sys.argv[1:])
    make_private(databases)
    secret_in(databases / "mongo_key")
    uri = f"mongodb://{ADMINISTRATOR}:{secret_in(databases / 'mongo_password')}@mongo:27017/leadscore"
    write_private(databases / "leadscore_mongo_uri", f"{uri}?replicaSet=rs0&authSource=admin")
    password = secret_in(databases / "redis_password")
    write_private(databases / "redis.conf", REDIS.format(password=password))
    for service in CALLERS_OF_REDIS:
        make_private(secrets / service)
        write_private(secrets / service / "leadscore_redis_url", f"redis://:{password}@redis:6379/0")
    keys_in(secrets / "automation" / "leadscore_secret_keys")


if __name__ == "__main__":
    main()
