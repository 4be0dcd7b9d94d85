"""Documents as MongoDB returns them: the committed examples, and what the driver makes of a row."""

from pathlib import Path
from typing import Any

import bson
from bson import json_util
from bson.codec_options import CodecOptions

_EXAMPLES = Path(__file__).parent / "examples"
_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)


def examples(collection: str) -> dict[int, dict[str, Any]]:
    """Returns the committed example of each schema version of a collection, by version."""
    found = [json_util.loads(path.read_text()) for path in _EXAMPLES.glob(f"{collection}.v*.json")]
    return {document["schema_version"]: through_bson(document) for document in found}


def through_bson(document: dict[str, Any]) -> dict[str, Any]:
    """Returns a document as it is read after it was written."""
    return bson.decode(bson.encode(document), _OPTIONS)
