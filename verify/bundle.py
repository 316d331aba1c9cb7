"""A bundle against its receipt: contract, trace, and each record by its digest."""

import calendar
import datetime
import hashlib
import re

from formats import CONTRACT, FIXED, KINDS, LIMIT, RECORDS, VERDICT, D, need, strict


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
    kinds = KINDS[bundle["version"]]
    return {kind: check_list(kind, bundle, stated[kind], is_final(receipt) or kind in FIXED) for kind in kinds}


def check_list(kind, bundle, stated, complete):
    one = KINDS[bundle["version"]][kind]
    opened, last = {}, (-1, -1)
    for place, record_text in enumerate(bundle[kind], 1):
        record = strict(record_text)
        need(RECORDS[bundle["version"]][kind](record), f"{one} at place {place}", "it is not a record")  # [23]
        order = (record["n"], 0) if "n" in record else (record["step"], record["attempt"])
        key = str(record["n"]) if "n" in record else f"{record['step']}.{record['attempt']}"
        need(order > last, f"{one} {key}", "it is out of order")  # [24]
        need(key in stated or not complete, f"{one} {key}", "the receipt does not state it")  # [25]
        there = D("rok.record.v1", kind, bundle["run"], record_text)
        need(stated.get(key, there) == there, f"{one} {key}", "it is not the one of the receipt")  # [26]
        opened[key], last = record, order
    missing = sorted(stated.keys() - opened.keys(), key=lambda key: [int(part) for part in key.split(".")])
    need(not missing, f"{one} {missing[0] if missing else ''}", "it is not there")  # [27]
    return opened
