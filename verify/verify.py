"""Verifies what `rok export` wrote, offline: a bundle, or a chain of receipts.

Written from docs/formats.md and from nothing else: it shares no code with `rok verify`, so that the two are witnesses of
each other. The numbers in brackets are the steps there. Needs Python 3.9 and the package in requirements.txt.

    verify.py FILE... [--jwks FILE | --key THUMBPRINT] [--heads FILE]      (`-`: names of files on stdin, one per line)

Exit code 0 if all are verified, 6 if not, 2 if the command was not understood.
"""

import argparse
import json
import sys

from bundle import check_contract, check_records, check_trace
from columns import check_columns
from findings import check_findings
from formats import BUNDLE, CHAIN, HEAD, Broken, D, need, strict, version_of
from meaning import check_meaning
from signature import receipt_of


def check_bundle(bundle, trust, heads):
    version = version_of(bundle)
    need(BUNDLE[version](bundle), "bundle", f"it is not a bundle of version {version} in strict JSON")  # [1]
    kid, receipt = receipt_of(bundle["receipt"], trust, bundle["keys"]["keys"], version)
    check_contract(bundle, receipt)
    check_trace(bundle, receipt)
    records = check_records(bundle, receipt)
    check_meaning(bundle, records, receipt)
    if version > 1:
        check_columns(bundle, records, receipt)
        check_findings(bundle, records, receipt)
    n, chain, hash_ = receipt["n"], receipt["chain"], D("rok.receipt.v1", bundle["receipt"])
    for head in heads:
        other = (head["chain"], head["n"]) == (chain, n) and head["hash"] != hash_
        need(not other, f"head {n} of {chain}", "it names another receipt")  # [36]
    verdict = receipt["verdict"]
    whose = f", agent {receipt['contract']['agent']} of tenant {chain}" if version > 1 and receipt["contract"] else ""
    about = f"receipt {n} of {receipt['run']}{whose}, verdict {verdict['status']}, revision {verdict['revision']}"
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
