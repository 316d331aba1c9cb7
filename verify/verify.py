"""Verifies what `rok export` wrote, offline: a bundle, or a chain of receipts.

Written from docs/formats.md and from nothing else: it shares no code with `rok verify`, so that the two are witnesses of
each other. The numbers in brackets are the steps there. Needs Python 3.9 and the package in requirements.txt.

    verify.py FILE... [--jwks FILE | --key THUMBPRINT] [--heads FILE]      (`-`: names of files on stdin, one per line)

Exit code 0 if all are verified, 6 if not, 2 if the command was not understood.
"""

import argparse
import base64
import calendar
import datetime
import hashlib
import json
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LIMIT = 2**53 - 1
KINDS = {"amendments": "amendment", "acks": "ack", "decisions": "decision", "attempts": "attempt", "results": "result"}


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


def one(value):
    return type(value) is int and value == 1


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
BUNDLE = shape(
    version=one, run=run, receipt=text, contract=maybe(text), verdict=text, keys=keys, **{kind: listing(text) for kind in KINDS},
    trace=listing(shape(seq=count, at=text, bytes=text, hash=text)),
)
RECEIPT = shape(
    version=one, chain=text, n=decimal, prev=digest, run=run,
    contract=maybe(shape(digest=digest, **each(text, "tenant agent profile runDeadline finalizeDue expiresAt"))),
    verdict=shape(revision=count, supersedes=maybe(count), status=status, findings=findings, judgedAt=text),
    facts=maybe(shape(
        **each(maybe(text), "phase outcome"), traceLength=decimal, traceHash=maybe(digest), **each(text, "spentMicros spentTokens"),
        **each(count, "allow deny pause attempts unknowns"), **each(listing(text), "policySets priceTables"),
    )),
    records=shape(verdict=digest, **each(numbered, "amendments acks"), **each(stepped, "decisions attempts results")),
)
CONTRACT = shape(
    version=one, run=run, **each(text, "tenant agent profile declaredAt runDeadline finalizeDue expiresAt"),
    expectations=listing(shape(**each(text, "domain action condition due dueAt"))),
)
VERDICT = shape(revision=count, status=status, findings=findings, judgedAt=text)
RECORDS = {
    "amendments": shape(n=count, **each(maybe(count), "step attempt hold"), **each(text, "reason runDeadline finalizeDue at")),
    "acks": shape(n=count, **each(text, "domain action status evidence by at")),
    "decisions": shape(
        **each(count, "step attempt"), **each(maybe(text), "access notAfter reasons notices"), askedOutputTokens=maybe(count),
        **each(text, "kind target effect actionDigest requestDigest argumentsDigest contextDigest snapshotDigest"),
        **each(text, "policySetDigest priceTableDigest decidedAt"),
    ),
    "attempts": shape(**each(count, "step attempt"), **each(text, "actionDigest nonce startedAt")),
    "results": shape(
        **each(count, "step attempt"), **each(text, "status digest finishedAt"), usageReported=maybe(yes_no),
        **each(maybe(text), "contentDigest inputTokens outputTokens cachedTokens reasoningTokens"),
        **each(maybe(text), "code retryAfterMs cause reportedModel finishReason"),
    ),
}
CHAIN = shape(version=one, chain=text, receipts=listing(shape(n=text, hash=text, jws=text)), keys=keys)
HEAD = shape(at=text, chain=text, n=decimal, hash=digest)


def D(*parts):
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8")
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.hexdigest()


# Signature


def decoded(part):
    """Bytes of canonical base64url; None for anything else."""
    if not re.fullmatch("[A-Za-z0-9_-]+", part) or len(part) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return data if base64.urlsafe_b64encode(data).rstrip(b"=").decode() == part else None


def thumbprint(key):
    members = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()


def verifies(key, signed, signature):
    try:
        Ed25519PublicKey.from_public_bytes(decoded(key["x"]) or b"").verify(signature, signed)
        return True
    except (ValueError, InvalidSignature):
        return False


def receipt_of(jws, trust, carried):
    parts = jws.split(".")
    data = [decoded(part) for part in parts]
    try:
        header = data[0].decode("utf-8") if len(parts) == 3 and None not in data else None
    except UnicodeDecodeError:
        header = None
    need(header is not None, "receipt.signature", "it is not a compact JWS")  # [2]
    header = strict(header)
    fits = shape(alg=matching("EdDSA"), kid=text, typ=matching(r"rok-receipt\+jws"))(header)
    need(fits, "receipt.signature", "it is a signature of something else")  # [3]
    known = carried if trust is None or isinstance(trust, str) else trust
    known = [k for k in known if (k.get("kid"), k.get("kty"), k.get("crv")) == (header["kid"], "OKP", "Ed25519") and text(k.get("x"))]
    if isinstance(trust, str):
        known = [key for key in known if thumbprint(key) == trust]
    need(known or trust is None, "receipt.signer", "the key that signed it is not trusted")  # [4]
    signed = jws.rsplit(".", 1)[0].encode()
    verified = not known or any(verifies(key, signed, data[2]) for key in known)
    need(verified, "receipt.signature", "the signature does not verify")  # [5]
    receipt = strict(data[1])
    need(RECEIPT(receipt), "receipt", "it is not a receipt of version 1")  # [6]
    return header["kid"], receipt


# Bundle


def check_contract(bundle, receipt):
    need(bundle["run"] == receipt["run"], "receipt", "it is of another run")  # [7]
    contract, stated = bundle["contract"], receipt["contract"]
    need((contract is None) == (stated is None), "contract", "receipt and bundle disagree whether there is one")  # [8]
    if contract is None:
        return
    need(D("rok.contract.v1", contract) == stated["digest"], "contract", "its digest is not the receipt's")  # [9]
    declared = strict(contract)
    need(CONTRACT(declared), "contract", "it is not a contract of version 1")  # [10]
    same = declared["run"] == receipt["run"] and declared["tenant"] == receipt["chain"]
    same = same and all(declared[name] == stated[name] for name in ("tenant", "agent", "profile", "expiresAt"))
    need(same, "contract", "it says otherwise than the receipt")  # [11]


def micros(at):
    """Microseconds since 1970; None if `at` is no such time."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", at):
        return None
    try:
        moment = datetime.datetime(*map(int, re.split(r"[-T:.]", at[:-1])))
    except ValueError:
        return None
    value = calendar.timegm(moment.timetuple()) * 1_000_000 + moment.microsecond
    return value if abs(value) <= LIMIT else None


NAME = re.compile(r',"id":"([A-Za-z0-9._:/-]{1,128})","kind":"([a-z]+\.[a-z_]+)"\}\Z')


def check_trace(bundle, receipt):
    trace, facts = bundle["trace"], receipt["facts"]
    if bundle["contract"] is None:
        return need(not trace, "trace", "events without a contract")  # [12]
    root = hash_ = D("rok.contract.v1", bundle["contract"])
    closed = False
    for n, event in enumerate(trace, 1):
        what = f"trace event {n}"
        need(event["seq"] == n, what, f"event {n} is not there")  # [13]
        at = micros(event["at"])
        need(at is not None, what, f"event {n} has no time")  # [14]
        data = b"rok.trace.v1" + bytes.fromhex(hash_) + n.to_bytes(8, "big") + at.to_bytes(8, "big", signed=True)
        hash_ = hashlib.sha256(data + event["bytes"].encode("utf-8")).hexdigest()
        need(event["hash"] == hash_, what, f"event {n} is not what its hash says")  # [15]
        name = NAME.search(event["bytes"])
        need(name, what, f"event {n} does not say what it is")  # [16]
        need(not closed, what, f"event {n} follows the end of the trace")  # [17]
        closed = name[2] == "run.closing"
    if facts is not None:
        length = int(facts["traceLength"])
        need(len(trace) >= length, "trace", f"the receipt states {length} events, there are {len(trace)}")  # [18]
        head = root if length == 0 else trace[length - 1]["hash"]
        need(facts["traceHash"] in (None, head), "trace", "its head is not the receipt's")  # [19]


def is_final(receipt):
    return receipt["facts"] is not None and receipt["facts"]["phase"] in ("COMPLETED", "FAILED")


def check_records(bundle, receipt):
    stated, said = receipt["records"], receipt["verdict"]
    there = D("rok.record.v1", "verdict", bundle["run"], bundle["verdict"])
    need(there == stated["verdict"], "verdict", "it is not the one of the receipt")  # [20]
    row = strict(bundle["verdict"])
    need(VERDICT(row), "verdict", "it is not a record")  # [21]
    same = (row["status"], row["revision"]) == (said["status"], said["revision"])
    need(same, "verdict", "it says otherwise than the receipt")  # [22]
    return {kind: check_list(kind, bundle, stated[kind], is_final(receipt) or kind in ("amendments", "acks")) for kind in KINDS}


def check_list(kind, bundle, stated, complete):
    opened, last = {}, (-1, -1)
    for place, record_text in enumerate(bundle[kind], 1):
        record = strict(record_text)
        need(RECORDS[kind](record), f"{KINDS[kind]} at place {place}", "it is not a record")  # [23]
        order = (record["n"], 0) if "n" in record else (record["step"], record["attempt"])
        key = str(record["n"]) if "n" in record else f"{record['step']}.{record['attempt']}"
        need(order > last, f"{KINDS[kind]} {key}", "it is out of order")  # [24]
        need(key in stated or not complete, f"{KINDS[kind]} {key}", "the receipt does not state it")  # [25]
        there = D("rok.record.v1", kind, bundle["run"], record_text)
        need(stated.get(key, there) == there, f"{KINDS[kind]} {key}", "it is not the one of the receipt")  # [26]
        opened[key], last = record, order
    missing = sorted(stated.keys() - opened.keys(), key=lambda key: [int(part) for part in key.split(".")])
    need(not missing, f"{KINDS[kind]} {missing[0] if missing else ''}", "it is not there")  # [27]
    return opened


def check_meaning(bundle, records, receipt):
    verdict, facts = receipt["verdict"], receipt["facts"]
    blocking = any(finding["blocking"] for finding in verdict["findings"])
    need(blocking == (verdict["status"] != "COMPLETE"), "verdict", "it does not follow from its findings")  # [28]
    if facts is None:
        return  # [29]
    decisions, attempts, results = records["decisions"], records["attempts"], records["results"]
    told = {finding["subject"] for finding in verdict["findings"] if finding["code"] == "UNWARRANTED"}
    for key, attempt in attempts.items():
        decision = decisions.get(key, {"effect": None})
        allowed = decision["effect"] == "allow" and decision["actionDigest"] == attempt["actionDigest"]
        allowed = allowed or f"step {attempt['step']} attempt {attempt['attempt']}" in told
        need(allowed, f"attempt {key}", "no decision allowed it")  # [30]
    for key, result in results.items():
        need(key in attempts, f"result {key}", "there is no such attempt")  # [31]
        need(result_digest(bundle["run"], result) == result["digest"], f"result {key}", "its digest is not of its row")  # [32]
    for n, event in enumerate(bundle["trace"], 1):
        check_story(n, event["bytes"], decisions, results)
    check_counts(decisions, attempts, results, facts, is_final(receipt))


def result_digest(run_id, row):
    columns = "status contentDigest inputTokens outputTokens cachedTokens reasoningTokens usageReported code retryAfterMs cause"
    values = [row[name] for name in (columns + " reportedModel finishReason").split()]
    values = [str(value).lower() if isinstance(value, bool) else value or "" for value in values]
    return D("rok.result.v1", run_id[4:], str(row["step"]), str(row["attempt"]), *values)


def check_story(n, data, decisions, results):
    found = re.fullmatch(r"((?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*))\.(decided|executed)", NAME.search(data)[1])
    if not found:
        return
    body = (strict(data) or {}).get("body")
    need(isinstance(body, dict), f"trace event {n}", f"event {n} does not say what it is")  # [33]
    key = found[1]
    if found[2] == "decided":
        row = decisions.get(key)
        same = row is not None and body.get("effect") == row["effect"] and body.get("action", row["actionDigest"]) == row["actionDigest"]
        need(same, f"decision {key}", f"event {n} says otherwise")
    else:
        same = body.get("result") == "" or (key in results and body.get("result") == results[key]["digest"])
        need(same, f"result {key}", f"event {n} says otherwise")


def check_counts(decisions, attempts, results, facts, final):
    counts = [(f"decisions that {e}", sum(d["effect"] == e for d in decisions.values()), facts[e]) for e in ("allow", "deny", "pause")]
    counts.append(("attempts", len(attempts), facts["attempts"]))
    if final:
        known = sum(result["status"] != "unknown" for result in results.values())
        counts.append(("unknown results", len(attempts) - known, facts["unknowns"]))
    for what, there, stated in counts:
        right = there == stated if final else there >= stated
        need(right, what, f"the receipt states {stated}, there are {there}")  # [34]
    for key, row in decisions.items():
        named = row["policySetDigest"] in facts["policySets"] and row["priceTableDigest"] in facts["priceTables"]
        need(named or not final, f"decision {key}", "its policy set or prices are not the receipt's")  # [35]


def check_bundle(bundle, trust, heads):
    need(BUNDLE(bundle), "bundle", "it is not a bundle of version 1 in strict JSON")  # [1]
    kid, receipt = receipt_of(bundle["receipt"], trust, bundle["keys"]["keys"])
    check_contract(bundle, receipt)
    check_trace(bundle, receipt)
    check_meaning(bundle, check_records(bundle, receipt), receipt)
    n, chain, hash_ = receipt["n"], receipt["chain"], D("rok.receipt.v1", bundle["receipt"])
    for head in heads:
        other = (head["chain"], head["n"]) == (chain, n) and head["hash"] != hash_
        need(not other, f"head {n} of {chain}", "it names another receipt")  # [36]
    verdict = receipt["verdict"]
    about = f"receipt {n} of {receipt['run']}, verdict {verdict['status']}, revision {verdict['revision']}"
    label = " (a development key)" if kid.startswith("development-") else ""
    return about if trust is None else f"{about}, signed by {kid}{label}"


# Chain


def check_chain(file, trust, heads):
    need(CHAIN(file), "chain", "it is not a chain of receipts of version 1 in strict JSON")
    chain, hashes = file["chain"], ["0" * 64]
    for n, link in enumerate(file["receipts"], 1):
        what = f"receipt {n} of {chain}"
        need(link["n"] == str(n), what, "it is not there")
        need(link["hash"] == D("rok.receipt.v1", link["jws"]), what, "its hash is not of it")
        try:
            receipt = receipt_of(link["jws"], trust, file["keys"]["keys"])[1]
        except Broken as broken:
            raise Broken(what, broken.args[1]) from None
        need(receipt["chain"] == chain, what, "it is of another chain")
        need(receipt["n"] == link["n"], what, "it bears another number")
        need(receipt["prev"] == hashes[-1], what, "it does not follow the one before it")
        hashes.append(link["hash"])
    held = [head for head in heads if head["chain"] == chain]
    for head in held:
        n = int(head["n"])
        detail = f"it is not there, and an outside head names number {n}"
        need(n < len(hashes), f"receipt {len(hashes)} of {chain}", detail)
        need(hashes[n] == head["hash"], f"head {n} of {chain}", "it names another receipt")
    return f"chain {chain}, {len(hashes) - 1} receipts, held against {len(held)} outside heads"


def verify(data, trust, heads):
    """One line: what was found. `trust` is a list of JWKs, a thumbprint, or None."""
    try:
        file = strict(data)
        check = check_chain if file is not None and "receipts" in file else check_bundle
        about = check(file, trust, heads)
        return f"consistent, signer unknown: {about}" if trust is None else f"verified: {about}"
    except Broken as broken:
        return f"broken: {broken.args[0]}: {broken.args[1]}"


def main():
    parser = argparse.ArgumentParser(description="verify bundles and chains of receipts, offline")
    parser.add_argument("files", nargs="+", metavar="FILE")
    root = parser.add_mutually_exclusive_group()
    root.add_argument("--jwks", metavar="FILE", help="the keys that may sign receipts")
    root.add_argument("--key", metavar="THUMBPRINT", help="the one key that may have signed; it is taken from the file")
    parser.add_argument("--heads", metavar="FILE", help="heads that were kept outside the database")
    options = parser.parse_args()
    trust, heads = options.key, []
    if options.jwks:
        with open(options.jwks, "rb") as file:
            trust = [key for key in json.load(file)["keys"] if isinstance(key, dict)]
    if options.heads:
        with open(options.heads, "rb") as file:
            heads = [strict(line) for line in file.read().split(b"\n") if line]
        if not heads or not all(map(HEAD, heads)):
            parser.error(f"`{options.heads}` holds no heads")
    code = 0
    for name in (line.rstrip("\n") for line in sys.stdin) if options.files == ["-"] else options.files:
        with open(name, "rb") as file:
            answer = verify(file.read(), trust, heads)
        code = code if answer.startswith("verified: ") else 6
        print(answer, flush=True)
    return code


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.exit(main())
