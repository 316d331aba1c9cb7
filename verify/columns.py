"""Columns that stand in several places, against each other. Version 2 only: before it these were no records."""

from bundle import is_final
from formats import D, need, strict


def check_columns(bundle, records, receipt):
    if bundle["contract"] is None:
        return
    contract, stated, digest = strict(bundle["contract"]), receipt["contract"], D("rok.contract.v1", bundle["contract"])
    rows = list(records["contracts"].values())
    need(rows, "contract row 1", "it is not there")  # [43]
    same = {name: contract[name] for name in ("tenant", "agent", "profile", "declaredAt", "expiresAt")}
    same.update(n=rows[0]["n"], digest=digest, runDeadline=stated["runDeadline"], finalizeDue=stated["finalizeDue"])
    same.update(declaredRunDeadline=contract["runDeadline"], declaredFinalizeDue=contract["finalizeDue"])
    need(rows == [same], "contract row 1", "it says otherwise than the contract")  # [44]
    rows, declared = list(records["expectations"].values()), contract["expectations"]
    for n in range(1, max(len(rows), len(declared)) + 1):
        same = rows[n - 1 : n] == [{**promise, "n": n} for promise in declared[n - 1 : n]]
        need(same, f"expectation row {n}", "it says otherwise than the contract")  # [45]
    if is_final(receipt):
        check_run(list(records["runs"].values()), receipt, digest)
        check_engines(records, receipt)


def check_run(rows, receipt, digest):
    need(rows, "run row 1", "it is not there")  # [46]
    stated, facts, row = receipt["contract"], receipt["facts"], rows[0]
    same = all(row[name] == stated[name] for name in ("tenant", "agent", "profile"))
    same = same and (row["phase"], row["outcome"], row["contractDigest"]) == (facts["phase"], facts["outcome"], digest)
    need(same and len(rows) == 1, "run row 1", "it says otherwise than the receipt")  # [47]


def check_engines(records, receipt):
    told = {(finding["code"], finding["subject"]) for finding in receipt["verdict"]["findings"]}
    outcome = receipt["facts"]["outcome"]
    evaluations = [row["outcome"] for row in records["evaluations"].values()]
    acked = any((a["domain"], a["action"], a["status"]) == ("policies", "evaluate_policy", "done") for a in records["acks"].values())
    fine = not acked or evaluations == [outcome] or ("HOLLOW", "policies/evaluate_policy") in told
    need(fine, "evaluation 1", "it is not there, or says otherwise than the run")  # [48]
    there = len(records["incidents"])
    fine = there == (0 if outcome == "succeeded" else 1) or ("MISMATCH", "outcome") in told
    need(fine, "incident 1", f"{there} are there, and the outcome is {outcome or 'none'}")  # [49]
