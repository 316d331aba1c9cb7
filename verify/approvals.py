"""Who said that it may be: holds against acts and decisions, a start against who asked, attempts against approvals."""

from bundle import micros

VERBS = {"approved": "approve", "rejected": "reject", "resumed": "resume", "raised": "raise_budget"}


def approval_findings(records, profile):
    found = set()
    for hold in records["holds"].values():
        if not has_voices(hold, records, profile) or not has_its_terms(hold, records["decisions"]):
            found.add(f"FORGED_APPROVAL hold {hold['n']}")
    if not start_is_asked(records, profile):
        found.add("FORGED_APPROVAL start")
    return found | raise_findings(records, profile) | use_findings(records)


def has_voices(hold, records, profile):
    verb = VERBS.get(hold["resolution"])
    if verb is None:
        return True
    raised = {row["update"] for row in records["raises"].values() if verb == "raise_budget" and hold["n"] in row["holds"]}
    requester = records["runs"]["1"]["requester"]
    voices = set()
    for act in records["acts"].values():
        counts = act["verb"] == verb and act["allowed"] and act["person"] is not None
        counts = counts and (act["hold"] == hold["n"] or act["update"] in raised) and is_while_open(act["at"], hold)
        counts = counts and (verb in ("resume", "raise_budget") or act["actionDigest"] == hold["actionDigest"])
        counts = counts and (verb == "resume" or act["person"] != requester) and may_answer(verb, act["roles"], hold["authority"])
        if counts and (profile != "STRICT" or act["tokenId"] is not None):
            voices.add(act["person"])
    return len(voices) >= (hold["quorum"] if verb == "approve" else 1)


def is_while_open(at, hold):
    times = [micros(time or "") for time in (hold["openedAt"], at, hold["resolvedAt"], hold["until"])]
    return None not in times and times[0] <= times[1] <= times[2] and times[1] < times[3]


def may_answer(verb, roles, authority):
    if "admin" in roles or verb == "resume":
        return True
    if verb == "raise_budget":
        return "approver:finance" in roles
    return f"approver:{authority}" in roles or (authority == "operator" and "operator" in roles)


def has_its_terms(hold, decisions):
    if hold["reason"] in ("MANUAL", "UNKNOWN_RESULT"):
        return True
    row = decisions.get(f"{hold['step']}.{hold['attempt']}", {})
    asked = [row.get(name) for name in ("effect", "actionDigest", "holdReason", "holdAuthority", "holdQuorum")]
    return asked == ["pause", hold["actionDigest"], hold["reason"], hold["authority"], str(hold["quorum"])]


def start_is_asked(records, profile):
    starts = [(row["step"], row["kind"], row["effect"]) for row in records["decisions"].values()]
    if (0, "run.start", "allow") not in starts:
        return True
    asked = [act for act in records["acts"].values() if (act["update"], act["verb"], act["allowed"]) == ("start", "start", True)]
    requester = records["runs"]["1"]["requester"]
    return bool(asked) and (profile != "STRICT" or asked[0]["tokenId"] is not None) and asked[0]["person"] == requester


def raise_findings(records, profile):
    requester, found = records["runs"]["1"]["requester"], set()
    acts = {act["update"]: act for act in records["acts"].values() if act["verb"] == "raise_budget" and act["allowed"]}
    for row in records["raises"].values():
        act = acts.get(row["update"])
        fits = act is not None and act["actionDigest"] == row["actionDigest"] and act["person"] != requester
        fits = fits and may_answer("raise_budget", act["roles"], "finance")
        if not fits or (profile == "STRICT" and act["tokenId"] is None):
            found.add(f"FORGED_APPROVAL {row['update']}")
    return found


def use_findings(records):
    attempts, results, found, served = records["attempts"], records["results"], set(), []
    holds = {hold["n"]: hold for hold in records["holds"].values() if hold["resolution"] == "approved"}
    used = {(use["hold"], use["step"], use["attempt"]) for use in records["uses"].values()}
    for n, hold in holds.items():
        for row in attempts.values():
            meant = row["step"] == hold["step"] and row["attempt"] > hold["attempt"]
            if meant and row["actionDigest"] == hold["actionDigest"] and (n, row["step"], row["attempt"]) not in used:
                found.add(f"UNWARRANTED step {row['step']} attempt {row['attempt']}")
    for use in records["uses"].values():
        key, hold = f"{use['step']}.{use['attempt']}", holds.get(use["hold"], {"step": None})
        if hold["step"] != use["step"] or hold["actionDigest"] != attempts.get(key, {}).get("actionDigest"):
            found.add(f"UNWARRANTED step {use['step']} attempt {use['attempt']}")
        if key in results and results[key]["status"] == "succeeded":
            served.append(use["hold"])
    return found | {f"UNWARRANTED hold {n}" for n in served if served.count(n) > 1}
