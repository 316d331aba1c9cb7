"""What the records mean, held against each other."""

import re

from bundle import NAME, is_final, micros
from formats import D, need, strict


def check_meaning(bundle, records, receipt):
    verdict, facts = receipt["verdict"], receipt["facts"]
    blocking = any(finding["blocking"] for finding in verdict["findings"])
    need(blocking == (verdict["status"] != "COMPLETE"), "verdict", "it does not follow from its findings")  # [28]
    if facts is None:
        return need(verdict["status"] != "COMPLETE", "verdict", "it is COMPLETE, and states no facts")  # [29]
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
    hollow = {finding["subject"] for finding in verdict["findings"] if finding["code"] == "HOLLOW"}
    for n, event in enumerate(bundle["trace"], 1):
        check_story(n, event["bytes"], decisions, results, hollow)
    check_counts(decisions, attempts, results, facts, is_final(receipt))
    if bundle["contract"] is not None:
        check_promises(strict(bundle["contract"])["expectations"], list(records["acks"].values()), receipt)
    if is_final(receipt):
        check_ends(attempts, results, receipt)


def result_digest(run_id, row):
    columns = "status contentDigest inputTokens outputTokens cachedTokens reasoningTokens usageReported code retryAfterMs cause"
    values = [row[name] for name in (columns + " reportedModel finishReason").split()]
    values = [str(value).lower() if isinstance(value, bool) else value or "" for value in values]
    return D("rok.result.v1", run_id[4:], str(row["step"]), str(row["attempt"]), *values)


def check_story(n, data, decisions, results, hollow):
    found = re.fullmatch(r"((?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*))\.(decided|executed)", NAME.search(data)[1])
    if not found:
        return
    body = (strict(data) or {}).get("body")
    need(isinstance(body, dict), f"trace event {n}", f"event {n} does not say what it is")  # [33]
    key = found[1]
    if found[2] == "decided":
        row = decisions.get(key)
        same = row is not None and body.get("effect") == row["effect"] and body.get("action", row["actionDigest"]) == row["actionDigest"]
        need(same or f"event {found[0]}" in hollow, f"decision {key}", f"event {n} says otherwise")
    else:
        same = body.get("result") == "" or (key in results and body.get("result") == results[key]["digest"])
        need(same or f"event {found[0]}" in hollow, f"result {key}", f"event {n} says otherwise")


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


FINALIZE = "orchestrator/finalize_run"


def name_of(one):
    return f"{one['domain']}/{one['action']}"


def later(at, due):
    """Whether `at` is after `due`; what is no time is never in time."""
    moments = micros(at), micros(due)
    return None in moments or moments[0] > moments[1]


def check_status(receipt, done):
    verdict, facts = receipt["verdict"], receipt["facts"]
    if verdict["status"] == "STALE":
        return
    is_ = f"it is {verdict['status']}, and"
    need(done, "verdict", f"{is_} nobody acknowledged {FINALIZE}")  # [37]
    need(not later(done["at"], receipt["contract"]["finalizeDue"]), "verdict", f"{is_} {FINALIZE} came late")  # [38]
    phase, outcome = facts["phase"], facts["outcome"]
    fits = outcome is not None and phase == ("COMPLETED" if outcome == "succeeded" else "FAILED")
    about = f"the run was in phase {phase or 'none'} with outcome {outcome or 'none'}"
    need(fits or verdict["status"] != "COMPLETE", "verdict", f"{is_} {about}")  # [39]


def finding_of(promise, said, receipt, final):
    """The code of the finding that must be there; None when nothing is wrong with this promise."""
    if said and said[-1]["status"] in ("failed", "rolled_back"):
        return said[-1]["status"].upper()
    if promise["condition"] != "always" and receipt["facts"]["outcome"] in (None, "succeeded"):
        return None
    due = receipt["contract"]["finalizeDue"] if promise["due"] == "finalize" else promise["dueAt"]
    done = [ack for ack in said if ack["status"] == "done"]
    if done:
        return "LATE" if later(done[0]["at"], due) else None
    waited = final or later(receipt["verdict"]["judgedAt"], due)
    return "MISSING" if waited and (not said or name_of(promise) == FINALIZE) else None


def check_promises(expectations, acks, receipt):
    done = [ack for ack in acks if name_of(ack) == FINALIZE and ack["status"] == "done"]
    check_status(receipt, done[0] if done else None)
    told = {(finding["code"], finding["subject"]) for finding in receipt["verdict"]["findings"]}
    for promise in expectations:
        name = name_of(promise)
        code = finding_of(promise, [ack for ack in acks if name_of(ack) == name], receipt, bool(done))
        need(code is None or (code, name) in told, f"expectation {name}", f"it is {code}, and the verdict does not say so")  # [40]
    expected = {name_of(promise) for promise in expectations}
    for ack in acks:
        drift = name_of(ack) not in expected and ("DRIFT", name_of(ack)) not in told
        need(not drift, f"ack {ack['n']}", "nobody expected it, and the verdict does not say so")  # [41]


def check_ends(attempts, results, receipt):
    told = {finding["subject"] for finding in receipt["verdict"]["findings"] if finding["code"] == "UNKNOWN_RESULT"}
    for key, attempt in attempts.items():
        known = key in results and results[key]["status"] != "unknown"
        known = known or f"step {attempt['step']} attempt {attempt['attempt']}" in told
        need(known, f"attempt {key}", "its result is not known, and the verdict does not say so")  # [42]
