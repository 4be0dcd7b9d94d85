"""Creates the MongoDB user of a service, who may do what `database_rights` says.

Guarantee: the password is in one private file and nowhere else. A run after the rights have changed gives the user the
new ones and keeps the password.
"""

from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pymongo.errors import OperationFailure

from shared import mongo
from shared.database_rights import RIGHTS, Right
from shared.mongo import Database, Document
from shared.private_files import make_private, new_secret, write_private
from shared.settings import StartupError

FILE = "leadscore_mongo_uri"
"""The name that `LEADSCORE_SECRETS_DIR` expects."""
_ROLE_EXISTS, _USER_EXISTS, _UNAUTHORIZED = 51002, 51003, 13
_OF_THE_USER = {"authsource", "authmechanism", "authmechanismproperties"}
"""Options of a URI that belong to its user."""


async def create_user(uri: str, service: str, directory: Path) -> Path:
    """Creates or updates the role and the user `leadscore_<service>` in the database that a URI names.

    Writes the URI for the service to `<directory>/<service>/leadscore_mongo_uri`, and returns that path. The password
    is the one in this file or, if there is no file, a new one.

    Raises:
        StartupError: The user of `uri` may not create users, or the file cannot be written.
    """
    path = directory / service / FILE
    database = await mongo.connect(uri)
    try:
        password = _password_in(path) or new_secret()
        own_uri = _uri_for(uri, database.name, f"leadscore_{service}", password)
        make_private(path.parent)
        await _put(database, service, password)
        write_private(path, own_uri)
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise
        needed = f"it needs the role userAdmin of the database {database.name}"
        raise StartupError(f"LEADSCORE_MONGO_URI: this user may not create users: {needed}") from None
    except OSError as error:
        raise StartupError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        await database.client.close()
    return path


def privileges(database: str, service: str) -> list[Document]:
    """Returns the privileges of a service's role, as MongoDB's commands have them."""
    return [_privilege(database, right) for right in RIGHTS[service]]


def _privilege(database: str, right: Right) -> Document:
    # A service checks its indexes at start, so that it does not run on a database that has not been migrated.
    actions = [*right.actions, "listIndexes"]
    return {"resource": {"db": database, "collection": right.collection}, "actions": actions}


async def _put(database: Database, service: str, password: str) -> None:
    name = f"leadscore_{service}"
    role: Document = {"privileges": privileges(database.name, service), "roles": []}
    await _create_or_update(database, "Role", name, role, exists=_ROLE_EXISTS)
    user: Document = {"pwd": password, "roles": [name]}
    await _create_or_update(database, "User", name, user, exists=_USER_EXISTS)


async def _create_or_update(database: Database, kind: str, name: str, fields: Document, *, exists: int) -> None:
    majority = {"writeConcern": {"w": "majority"}}
    try:
        await database.command({f"create{kind}": name, **fields, **majority})
    except OperationFailure as error:
        if error.code != exists:
            raise
        await database.command({f"update{kind}": name, **fields, **majority})


def _password_in(path: Path) -> str:
    """Returns the password in a file that an earlier run has written, or nothing if there is none."""
    if not path.exists():
        return ""
    return unquote(urlsplit(path.read_text()).netloc.rpartition("@")[0].partition(":")[2])


def _uri_for(uri: str, database: str, user: str, password: str) -> str:
    """Returns the URI of the same servers and options for another user of a database."""
    parts = urlsplit(uri)
    options = [(name, value) for name, value in parse_qsl(parts.query) if name.lower() not in _OF_THE_USER]
    login = f"{user}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"
    query = urlencode([*options, ("authSource", database)])
    return parts._replace(netloc=login, path=f"/{database}", query=query).geturl()
