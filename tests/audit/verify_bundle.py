#!/usr/bin/env python3
"""Checks a proof bundle of `weir audit prove` or `weir audit export --format proof` from nothing but its
text and a public key. Written from RFC 6962, RFC 9162, RFC 8032 and the C2SP notes alone; shares no line
with Weir. Ed25519 is spelled out, slowly, so that nothing has to be installed.

    tests/audit/verify_bundle.py BUNDLE PUBLIC_KEY_FILE [FORMER_CHECKPOINT]
"""
import base64
import hashlib
import json
import sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
I = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * I % P
    if (x * x - x2) % P or y >= P:
        raise ValueError("not a point")
    return P - x if x & 1 != sign else x


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    A, B = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    C, E = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = B - A, E - C, E + C, B + A
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, point):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = add(out, point)
        point, n = add(point, point), n >> 1
    return out


def point_of(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x = recover_x(y, sign)
    return x, y, 1, x * y % P


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y, 1, recover_x(BASE_Y, 0) * BASE_Y % P)


def signature_holds(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    left, right = times(s, BASE), add(point_of(r), times(h, point_of(key)))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def decode(text):
    """RFC 4648 to the letter: nothing skipped, no spare bits; one value has one text."""
    raw = base64.b64decode(text, validate=True)
    assert base64.b64encode(raw).decode() == text, "not how base64 is written"
    return raw


def lines_of(text):
    """Ended by line feeds and nothing else."""
    assert text.endswith("\n"), "the last line is not ended"
    return text[:-1].split("\n")


def read_keys(path):
    keys = {}
    for line in open(path, encoding="utf-8").read().split():
        name, number, text = line.split("+", 2)
        raw = decode(text)
        assert raw[0] == 1 and len(raw) == 33, "not an Ed25519 key"
        assert hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8] == number, "key and its number differ"
        keys[name, number] = raw[1:]
    return keys


def open_checkpoint(note, keys):
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    trusted = 0
    for line in lines_of(signatures):
        mark, name, blob = line.split(" ")
        raw = decode(blob)
        key = keys.get((name, raw[:4].hex()))
        if mark == "\u2014" and key:
            assert signature_holds(key, text.encode(), raw[4:]), "the signature does not hold"
            trusted += 1
    assert trusted, "nobody known has signed"
    origin, size, root = text.split("\n")[:3]
    return origin, int(size), decode(root)


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of_path(index, size, leaf, path):
    """RFC 9162, 2.1.3.2."""
    fn, sn, r = index, size - 1, leaf
    for p in path:
        assert sn, "the path is too long"
        if fn & 1 or fn == sn:
            r = node(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0, "the path is too short"
    return r


def check_growth(old, old_root, size, root, path):
    """RFC 9162, 2.1.4.2."""
    if old == size:
        return not path and old_root == root
    if old & (old - 1) == 0:
        path = [old_root] + path
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        assert sn, "the growth is too long"
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == root


def check(bundle, keys, former=None):
    lines = [json.loads(line) for line in lines_of(bundle)]
    head, proved = lines[0], 0
    assert head["weir_proof"] == 1 and set(head) <= {"weir_proof", "checkpoint", "older", "growth"}
    origin, size, root = open_checkpoint(head["checkpoint"], keys)
    if "older" in head:
        old_origin, old_size, old_root = open_checkpoint(head["older"], keys)
        assert origin == old_origin
        assert check_growth(old_size, old_root, size, root, [decode(h) for h in head["growth"]]), "the past was changed"
    if former is not None:
        assert head.get("older") == former, "the bundle is not about the checkpoint that was noted"
    for line in lines[1:]:
        text = line["line"]
        leaf = hashlib.sha256(b"\x00" + text.encode()).digest()
        found = root_of_path(json.loads(text)["seq"] - 1, size, leaf, [decode(h) for h in line["path"]])
        assert found == root, f"record {json.loads(text)['seq']} is not in the log"
        proved += 1
    return proved, size


if __name__ == "__main__":
    try:
        noted = open(sys.argv[3], encoding="utf-8").read() if len(sys.argv) > 3 else None
        print("%d records proved among %d" % check(open(sys.argv[1], encoding="utf-8").read(), read_keys(sys.argv[2]), noted))
    except (AssertionError, KeyError, ValueError) as why:
        sys.exit(f"refused: {why}")
