"""The document cannot say which accounts there are, nor that postings sum to zero: of the payments and transactions that
follow it, three of four are made such that the ledger decides on them."""

import json
import zlib

import schemathesis
from schemathesis import GenerationMode

PAIRS = [("world:EUR", "alice"), ("alice", "bob"), ("bob", "world:EUR")]


@schemathesis.hook
def before_call(context, case, kwargs):
    stay_here(case)
    spare_payers(case)
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE or not isinstance(case.body, dict):
        return
    drawn = zlib.crc32(json.dumps(case.body, sort_keys=True).encode())
    if drawn % 4 == 0:
        return
    amount = 1 + drawn % 1000
    source, destination = PAIRS[drawn % 3]
    if case.operation.label == "POST /v1/payments":
        sound = {"source": source, "destination": destination, "amount": amount, "currency": "EUR"}
    elif case.operation.label == "POST /v1/transactions":
        legs = [(source, -amount), (destination, str(amount))]
        sound = {"postings": [{"account": id, "amount": leg, "currency": "EUR"} for id, leg in legs]}
    else:
        return
    rest = {name: value for name, value in case.body.items() if name not in ("splits", "capture", "expires_at")}
    case.body = {**rest, **sound}
    # Made-up keys are few, and most would be those of another request.
    case.headers["Idempotency-Key"] = f"{case.operation.label} {drawn}"


def stay_here(case):
    """Nothing is to be posted to where a made-up address leads."""
    if case.operation.label != "POST /v1/webhook_endpoints" or not isinstance(case.body, dict):
        return
    if isinstance(case.body.get("url"), str) and "://" in case.body["url"]:
        case.body = {**case.body, "url": "http://127.0.0.1:9/hooks"}


def spare_payers(case):
    """Whoever is frozen, closed or limited pays no more, and nothing of what follows would be accepted."""
    path, parameters = case.operation.path, case.path_parameters or {}
    changes = path.endswith(("/freeze", "/close", "/limits"))
    if changes and any(parameters.get("id") in pair for pair in PAIRS):
        case.path_parameters = {**parameters, "id": "carol"}
