"""What the records of a run that is over come to, which the verdict must name. Version 2 only."""

from approvals import approval_findings
from bundle import NAME, is_final
from formats import need

DETAIL = "the records come to it, and the verdict does not name it"


def check_findings(bundle, records, receipt):
    facts = receipt["facts"]
    if bundle["contract"] is None or facts is None:
        return
    stated = [(*NAME.search(event["bytes"]).groups(), event["bytes"]) for event in bundle["trace"][: int(facts["traceLength"])]]
    refused = sum(kind == "call.refused" for _, kind, _ in stated)
    need(refused == facts["refusedCalls"], "refused calls", f"the receipt states {facts['refusedCalls']}, there are {refused}")  # [50]
    if not is_final(receipt):
        return
    found = answer_findings(records, facts) | story_findings(stated, records, facts)
    found |= approval_findings(records, receipt["contract"]["profile"])
    told = {f"{finding['code']} {finding['subject']}" for finding in receipt["verdict"]["findings"]}
    for untold in sorted(found - told)[:1]:
        need(False, f"finding {untold}", DETAIL)  # [51]


def answer_findings(records, facts):
    run, decisions = records["runs"]["1"], records["decisions"]
    contents = {key: row["contentDigest"] for key, row in records["results"].items() if row["status"] == "succeeded"}
    if run["kind"] == "governedRun" and facts["outcome"] == "succeeded":
        said = [content for key, content in contents.items() if decisions.get(key, {}).get("kind") == "model.call"]
        fits = run["answer"] is not None and said[-1:] == [run["answer"]]
    else:
        fits = run["answer"] is None or run["answer"] in contents.values()
    return set() if fits else {"MISMATCH answer"}


TOLD = ("step.decided", "step.executed", "run.authorized", "hold.opened", "hold.resolved")


def story_findings(stated, records, facts):
    events = {id_: data for id_, _, data in stated}
    told = {id_: (kind, data) for id_, kind, data in stated if kind in TOLD}
    there = rows_told(records)
    found = {f"HOLLOW event {id_}" for id_, event in told.items() if id_ not in there and not never_began(*event)}
    for hold in records["holds"].values():
        opened, resolved = f"hold.{hold['n']}.opened", f"hold.{hold['n']}.resolved"
        key = [f'"reason":"{hold["reason"]}"', f'"step":{hold["step"]},', f'"attempt":{hold["attempt"]},']
        key.append(f'"action":"{hold["actionDigest"] or ""}"')
        if opened in events and not all(member in events[opened] for member in key):
            found.add(f"HOLLOW event {opened}")
        end = f'"resolution":"{hold["resolution"]}"'
        if resolved in events and (hold["resolution"] is None or end not in events[resolved]):
            found.add(f"HOLLOW event {resolved}")
    return found | end_findings(stated, told, there, records, facts)


def never_began(kind, data):
    ended = any(f'"status":"{status}"' in data for status in ("failed", "unknown"))
    return kind == "step.executed" and '"result":""' in data and ended


def rows_told(records):
    """By the id of each event that the records want told: the key of its step, None of a hold."""
    there = {}
    for key, row in records["decisions"].items():
        start = row["kind"] == "run.start"
        started = start and row["effect"] == "allow"
        silent = row["kind"] in ("run.outcome", "run.repair") or (start and row["attempt"] == 1 and row["effect"] == "pause")
        if not silent and not (started and row["attempt"] == 1):
            there[f"{key}.decided"] = key
        if started and (row["attempt"] == 1 or row["step"] == 0):
            there["run.authorized"] = key
    there.update({f"{key}.executed": key for key in records["attempts"]})
    for n, hold in records["holds"].items():
        there[f"hold.{n}.opened"] = None
        if hold["resolution"] is not None:
            there[f"hold.{n}.resolved"] = None
    return there


def end_findings(stated, told, there, records, facts):
    done = ("orchestrator", "finalize_run", "done")
    finalized = any((ack["domain"], ack["action"], ack["status"]) == done for ack in records["acks"].values())
    closed = any(kind == "run.closing" for _, kind, _ in stated)
    found = {"TRACE_BROKEN trace"} if finalized and not closed else set()
    closing = next((data for id_, _, data in stated if id_ == "run.closing"), None)
    if closing is None:
        return found
    repaired = any((row["kind"], row["effect"]) == ("run.repair", "allow") for row in records["decisions"].values())
    refused = sum(kind == "call.refused" for _, kind, _ in stated)
    counted = counts(closing, "events", len(stated)) or (repaired and '"events":' not in closing)
    silent = (repaired or refused == 0) and '"refused_calls":' not in closing
    if not counted or not (counts(closing, "refused_calls", refused) or silent):
        found.add("TRACE_BROKEN event run.closing")
    if facts["outcome"] != "succeeded" or repaired:
        return found
    governed = records["runs"]["1"]["kind"] == "governedRun"
    untold = [id_ for id_, key in there.items() if id_ not in told and (governed or key in records["attempts"])]
    return found | {f"TRACE_BROKEN event {id_}" for id_ in untold}


def counts(data, name, count):
    return any(f'"{name}":{count}{end}' in data for end in ",}")
