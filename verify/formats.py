"""What is read: strict JSON, the shapes of docs/formats.md, digests, and how a broken thing is named."""

import hashlib
import json
import re

LIMIT = 2**53 - 1
FIRST = {"amendments": "amendment", "acks": "ack", "decisions": "decision", "attempts": "attempt", "results": "result"}
LATER = {
    "contracts": "contract row", "expectations": "expectation row", "runs": "run row", "holds": "hold", "acts": "act", "uses": "use",
    "raises": "raise", "evaluations": "evaluation", "incidents": "incident",
}
KINDS = {1: FIRST, 2: {**FIRST, **LATER}}
FIXED = ("amendments", "acks", "contracts", "expectations")


class Broken(Exception):
    """What is broken, and how."""


def need(holds, what, detail):
    if not holds:
        raise Broken(what, detail)


# Strict JSON


def strict(source):
    """The object that `source` (text or bytes) holds; None for anything else."""
    try:
        text = source.decode("utf-8") if isinstance(source, bytes) else source
        value = json.loads(text, object_pairs_hook=members, parse_int=integer, parse_float=refuse, parse_constant=refuse)
        plain(value, 1)
        return value if isinstance(value, dict) else None
    except (ValueError, RecursionError):
        return None


def refuse(_):
    raise ValueError


def members(pairs):
    value = dict(pairs)
    return value if len(value) == len(pairs) else refuse(pairs)


def integer(token):
    if not re.fullmatch("0|-?[1-9][0-9]{0,15}", token) or abs(int(token)) > LIMIT:
        raise ValueError
    return int(token)


def plain(value, depth):
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError
    if isinstance(value, (dict, list)):
        if depth > 64:
            raise ValueError
        for entry in value if isinstance(value, list) else [*value.keys(), *value.values()]:
            plain(entry, depth + 1)


# Shapes: a function of a value each


def shape(**checks):
    return lambda value: isinstance(value, dict) and value.keys() == checks.keys() and all(c(value[n]) for n, c in checks.items())


def matching(pattern):
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def listing(check):
    return lambda value: isinstance(value, list) and all(map(check, value))


def maybe(check):
    return lambda value: value is None or check(value)


def each(check, names):
    return {name: check for name in names.split()}


def digests(key):
    return lambda value: isinstance(value, dict) and all(map(matching(key), value)) and all(map(digest, value.values()))


def text(value):
    return isinstance(value, str)


def count(value):
    return type(value) is int and value >= 0


def exactly(number):
    return lambda value: type(value) is int and value == number


def yes_no(value):
    return isinstance(value, bool)


digest = matching("[0-9a-f]{64}")
decimal = matching("0|[1-9][0-9]{0,18}")
run = matching("run_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
status = matching("COMPLETE|INCOMPLETE|STALE")
keys = shape(keys=listing(lambda value: isinstance(value, dict)))
findings = listing(shape(code=text, blocking=yes_no, subject=text, detail=text))
numbered = digests("[1-9][0-9]{0,9}")
stepped = digests(r"(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})")


def bundle_of(version):
    return shape(
        version=exactly(version), run=run, receipt=text, contract=maybe(text), verdict=text, keys=keys,
        trace=listing(shape(seq=count, at=text, bytes=text, hash=text)), **{kind: listing(text) for kind in KINDS[version]},
    )


def receipt_of(version):
    kinds = {kind: stepped if kind in ("decisions", "attempts", "results") else numbered for kind in KINDS[version]}
    return shape(
        version=exactly(version), chain=text, n=decimal, prev=digest, run=run,
        contract=maybe(shape(digest=digest, **each(text, "tenant agent profile runDeadline finalizeDue expiresAt"))),
        verdict=shape(revision=count, supersedes=maybe(count), status=status, findings=findings, judgedAt=text),
        facts=maybe(shape(
            **each(maybe(text), "phase outcome"), traceLength=decimal, traceHash=maybe(digest), **each(text, "spentMicros spentTokens"),
            **each(count, "allow deny pause attempts unknowns"), **each(listing(text), "policySets priceTables"),
            **each(count, "refusedCalls" if version > 1 else ""),
        )),
        records=shape(verdict=digest, **kinds),
    )


def version_of(value):
    """What a value says that it is; whatever else it holds counts as the first."""
    return 2 if isinstance(value, dict) and exactly(2)(value.get("version")) else 1


BUNDLE = {version: bundle_of(version) for version in KINDS}
RECEIPT = {version: receipt_of(version) for version in KINDS}
CONTRACT = shape(
    version=exactly(1), run=run, **each(text, "tenant agent profile declaredAt runDeadline finalizeDue expiresAt"),
    expectations=listing(shape(**each(text, "domain action condition due dueAt"))),
)
VERDICT = shape(revision=count, status=status, findings=findings, judgedAt=text)
AMENDMENT = {"n": count, **each(maybe(count), "step attempt hold"), **each(text, "reason runDeadline finalizeDue at")}
DECISION = {
    **each(count, "step attempt"), **each(maybe(text), "access notAfter reasons notices"), "askedOutputTokens": maybe(count),
    **each(text, "kind target effect actionDigest requestDigest argumentsDigest contextDigest snapshotDigest"),
    **each(text, "policySetDigest priceTableDigest decidedAt"),
}
EITHER = {
    "acks": shape(n=count, **each(text, "domain action status evidence by at")),
    "attempts": shape(**each(count, "step attempt"), **each(text, "actionDigest nonce startedAt")),
    "results": shape(
        **each(count, "step attempt"), **each(text, "status digest finishedAt"), usageReported=maybe(yes_no),
        **each(maybe(text), "contentDigest inputTokens outputTokens cachedTokens reasoningTokens"),
        **each(maybe(text), "code retryAfterMs cause reportedModel finishReason"),
    ),
    "contracts": shape(
        n=count, **each(text, "tenant agent profile digest declaredAt declaredRunDeadline declaredFinalizeDue expiresAt"),
        **each(text, "runDeadline finalizeDue"),
    ),
    "expectations": shape(n=count, **each(text, "domain action condition due dueAt")),
    "runs": shape(
        n=count, **each(text, "tenant agent workflowId temporalRunId kind phase profile specDigest contractDigest limits counters"),
        **each(text, "runDeadline lastStep openedAt"), **each(maybe(text), "outcome answer requester requestDigest agentDigest latchedAt endedAt contentDigest"),
    ),
    "holds": shape(
        **each(count, "n quorum step attempt"), **each(text, "reason authority openedAt until onTimeout"),
        **each(maybe(text), "actionDigest resolvedAt resolution contentDigest"),
    ),
    "acts": shape(
        n=count, hold=maybe(count), allowed=yes_no, roles=listing(text), **each(text, "update verb issuer at"),
        **each(maybe(text), "person tokenId actionDigest was carrier contentDigest"),
    ),
    "uses": shape(**each(count, "n hold step attempt"), at=text),
    "raises": shape(
        n=count, holds=listing(count), **each(text, "update scope subject unit window from to actionDigest at"),
    ),
    "evaluations": shape(**each(count, "n step attempt"), **each(text, "outcome at")),
    "incidents": shape(
        **each(count, "n step"), **each(text, "incident tenant agent fingerprint day outcome at"), contentDigest=maybe(text),
    ),
}
RECORDS = {
    1: {**EITHER, "amendments": shape(**AMENDMENT), "decisions": shape(**DECISION)},
    2: {
        **EITHER, "amendments": shape(**AMENDMENT, **each(text, "openFrom openUntil")),
        "decisions": shape(**DECISION, **each(maybe(text), "holdReason holdAuthority holdQuorum")),
    },
}
CHAIN = shape(version=exactly(1), chain=text, receipts=listing(shape(n=text, hash=text, jws=text)), keys=keys)
HEAD = shape(at=text, chain=text, n=decimal, hash=digest)


def D(*parts):
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8")
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.hexdigest()
