#!/usr/bin/env python3
"""A built `weir` as what is published: tarball, Debian package, bill of materials, checksums, signature. Equal input
gives equal bytes: times are --epoch, owners 0, order by name; nothing of the machine's clock, user or paths gets in.

    tools/package.py --weir build/weir --version 0.1.0 --epoch 1795000000 --out dist [--key release.pem]

Without --key nothing is signed, and that is said. tools/release builds first and calls this.
"""
import argparse
import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, **options).stdout


def tracked(folder):
    """Files of a folder that git knows; of a source tree without git, all of them."""
    try:
        names = run("git", "ls-files", "-z", "--", folder, cwd=ROOT).split("\0")
    except (subprocess.CalledProcessError, FileNotFoundError):
        names = [str(p.relative_to(ROOT)) for p in (ROOT / folder).rglob("*") if p.is_file()]
    return sorted(name for name in names if name)


# ---- archives ----

def tar_gz(files, epoch):
    """files: {path: (bytes, mode)} as a gzipped tar. Folders are written too: dpkg wants them."""
    raw = io.BytesIO()
    folders = {str(parent) for path in files for parent in pathlib.PurePosixPath(path).parents if str(parent) != "."}
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(folders | set(files)):
            info = tarfile.TarInfo(path)
            info.mtime = epoch
            if path in files:
                body, info.mode = files[path]
                info.size = len(body)
                tar.addfile(info, io.BytesIO(body))
            else:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0, filename="") as packed:
        packed.write(raw.getvalue())
    return out.getvalue()


def ar(members, epoch):
    out = b"!<arch>\n"
    for name, body in members:
        out += f"{name:<16}{epoch:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode() + body
        if len(body) % 2:
            out += b"\n"
    return out


# ---- what is linked ----

def needed(weir):
    return re.findall(r"\(NEEDED\).*\[(.+?)\]", run("readelf", "-dW", weir))


def loaded(weir):
    """All shared libraries that the loader would take, by the name they are asked for."""
    found = {}
    for line in run("ldd", weir).splitlines():
        named = re.match(r"\s*(\S+) => (/\S+)", line)
        loader = re.match(r"\s*(/\S*ld-linux\S*)", line)
        if named:
            found[named[1]] = named[2]
        elif loader:
            found[os.path.basename(loader[1])] = loader[1]
    return found


def owner(path):
    """The Debian package that a library is of."""
    real = os.path.realpath(path)
    for name in (path, real, re.sub(r"^/usr", "", real), "/usr" + path):
        try:
            return run("dpkg-query", "-S", name).split(": ")[0].split(",")[0]
        except subprocess.CalledProcessError:
            continue
    raise SystemExit(f"package: {path} is of no Debian package: it cannot be named in the bill of materials")


def facts(package):
    form = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${Maintainer}\t${Homepage}"
    keys = ("name", "version", "arch", "source", "source_version", "maintainer", "homepage")
    return dict(zip(keys, run("dpkg-query", "-W", "-f", form, package).split("\t")))


def licences(name):
    """As the package's own copyright file calls them, when it can be read by a program."""
    path = pathlib.Path(f"/usr/share/doc/{name}/copyright")
    text = path.read_text(errors="replace") if path.is_file() else ""
    return sorted(set(re.findall(r"^License: *(\S.*?) *$", text, re.M)))


def libraries(weir):
    """[{soname, path, direct, sha1, sha256, package facts...}] in the order of their names."""
    direct = set(needed(weir))
    all_of_them = []
    for soname, path in sorted(loaded(weir).items()):
        body = pathlib.Path(path).read_bytes()
        package = owner(path)
        all_of_them.append({"soname": soname, "direct": soname in direct, "package": package, **facts(package),
                            "sha1": hashlib.sha1(body).hexdigest(), "sha256": hashlib.sha256(body).hexdigest()})
    missing = direct - {lib["soname"] for lib in all_of_them}
    if missing:
        raise SystemExit(f"package: linked, but not found by the loader: {sorted(missing)}")
    return all_of_them


def least_version(lib):
    """The dependency as the library's own package states it for who links it ("libssl3 (>= 3.0.0)")."""
    stem = re.match(r"(.+?)\.so\.?(.*)", lib["soname"])
    for name in (lib["package"], lib["name"]):
        path = pathlib.Path(f"/var/lib/dpkg/info/{name}.shlibs")
        for line in path.read_text().splitlines() if path.is_file() and stem else []:
            words = line.split(" ", 2)
            if words[0] == stem[1] and words[1] == stem[2]:
                return words[2]
    return lib["name"]


# ---- the bill of materials: SPDX 2.3 ----

def spdx_id(text):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", text)


def spdx_package(lib):
    purl = f"pkg:deb/debian/{lib['name']}@{lib['version']}?arch={lib['arch']}"
    named = licences(lib["name"])
    return {"SPDXID": spdx_id("package-" + lib["name"]), "name": lib["name"], "versionInfo": lib["version"],
            "supplier": "Organization: Debian", "originator": "Person: " + lib["maintainer"], "downloadLocation": "NOASSERTION",
            "homepage": lib["homepage"] or "NOASSERTION", "filesAnalyzed": False, "copyrightText": "NOASSERTION",
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
            **({"licenseComments": "Debian's copyright file names: " + "; ".join(named)} if named else {}),
            "sourceInfo": f"built from {lib['source']} {lib['source_version']}",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}]}


def bill(version, epoch, weir_bytes, libs):
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha256(weir_bytes).hexdigest()
    packages = {lib["name"]: spdx_package(lib) for lib in libs}
    files = [{"SPDXID": spdx_id("file-" + lib["soname"]), "fileName": lib["soname"], "fileTypes": ["BINARY"],
              "checksums": [{"algorithm": "SHA1", "checksumValue": lib["sha1"]}, {"algorithm": "SHA256", "checksumValue": lib["sha256"]}],
              "licenseConcluded": "NOASSERTION", "licenseInfoInFiles": ["NOASSERTION"], "copyrightText": "NOASSERTION"} for lib in libs]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-weir")]
    for lib in libs:
        relations.append((spdx_id("package-" + lib["name"]), "CONTAINS", spdx_id("file-" + lib["soname"])))
        relations.append(("SPDXRef-weir", "DYNAMIC_LINK" if lib["direct"] else "DEPENDS_ON", spdx_id("package-" + lib["name"])))
    document = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"weir-{version}",
        "documentNamespace": f"https://weir.invalid/spdx/weir-{version}-{digest[:32]}",
        "creationInfo": {"created": created, "creators": [f"Tool: weir-package-{version}"]},
        "packages": [{"SPDXID": "SPDXRef-weir", "name": "weir", "versionInfo": version, "downloadLocation": "NOASSERTION",
                      "filesAnalyzed": False, "copyrightText": "NOASSERTION", "licenseConcluded": "NOASSERTION",
                      "licenseDeclared": "NOASSERTION", "primaryPackagePurpose": "APPLICATION",
                      "checksums": [{"algorithm": "SHA256", "checksumValue": digest}]}] + [packages[name] for name in sorted(packages)],
        "files": files,
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in sorted(set(relations))]}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


# ---- what goes in ----

def contents(weir_bytes, sbom, prefix, unit_at):
    files = {f"{prefix}bin/weir": (weir_bytes, 0o755), f"{prefix}share/doc/weir/sbom.spdx.json": (sbom, 0o644)}
    for folder, to in (("docs", "doc/weir/docs"), ("deploy", "weir/deploy"), ("examples", "weir/examples")):
        for name in tracked(folder):
            files[f"{prefix}share/{to}/{name.split('/', 1)[1]}"] = ((ROOT / name).read_bytes(), 0o644)
    for name in ("README.md", "SECURITY.md"):
        files[f"{prefix}share/doc/weir/{name}"] = ((ROOT / name).read_bytes(), 0o644)
    unit = (ROOT / "deploy/weir.service").read_bytes()
    if unit_at:
        files[unit_at] = (unit.replace(b"/usr/local/bin/weir", b"/usr/bin/weir"), 0o644)
    return files


SCRIPTS = {
    "postinst": """#!/bin/sh
set -e
if [ "$1" = configure ]; then
    getent passwd weir >/dev/null || adduser --system --group --home /var/lib/weir --no-create-home weir
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
fi
""",
    "prerm": """#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl stop weir || true; fi
""",
}


def deb(version, epoch, arch, files, libs):
    depends = sorted({least_version(lib) for lib in libs if lib["direct"]} | {"adduser", "ca-certificates"})
    size = sum(len(body) for body, _ in files.values()) // 1024 + 1
    control = (f"Package: weir\nVersion: {version}\nArchitecture: {arch}\nMaintainer: The Weir team <weir@weir.invalid>\n"
               f"Installed-Size: {size}\nDepends: {', '.join(depends)}\nSection: net\nPriority: optional\n"
               "Description: gateway to AI models with keys, budgets, audit and cited answers\n"
               " One daemon between applications and models: every client dialect reaches every\n"
               " provider, limits are exact, answers from documents carry their sources.\n")
    sums = "".join(f"{hashlib.md5(body).hexdigest()}  {path}\n" for path, (body, _) in sorted(files.items()))
    inside = {"control": (control.encode(), 0o644), "md5sums": (sums.encode(), 0o644)}
    inside.update({name: (text.encode(), 0o755) for name, text in SCRIPTS.items()})
    dotted = lambda tree: {"./" + path: body for path, body in tree.items()}
    return ar([("debian-binary", b"2.0\n"), ("control.tar.gz", tar_gz(dotted(inside), epoch)),
               ("data.tar.gz", tar_gz(dotted(files), epoch))], epoch)


def sign(out, key):
    sums, signature = out / "SHA256SUMS", out / "SHA256SUMS.sig"
    kind = run("openssl", "pkey", "-in", key, "-noout", "-text").split("\n")[0]
    if "ED25519" not in kind.upper():
        raise SystemExit(f"package: {key} holds no Ed25519 key: {kind}")
    run("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", str(sums), "-out", str(signature))
    (out / "weir-release.pub").write_text(run("openssl", "pkey", "-in", key, "-pubout"))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--weir", default="build/weir")
    options.add_argument("--version", required=True)
    options.add_argument("--epoch", type=int, required=True, help="seconds since 1970 that everything is dated")
    options.add_argument("--out", default="dist")
    options.add_argument("--key", help="Ed25519 private key, PEM")
    given = options.parse_args()
    if not re.fullmatch(r"[0-9][A-Za-z0-9.+~]*", given.version):
        raise SystemExit(f"package: {given.version!r} is no version that dpkg takes")
    out = pathlib.Path(given.out)
    out.mkdir(parents=True, exist_ok=True)
    arch = run("dpkg", "--print-architecture").strip()
    name = f"weir-{given.version}-linux-{arch}"

    stripped = out / f".{name}.stripped"
    run("objcopy", "--strip-unneeded", given.weir, str(stripped))
    weir_bytes = stripped.read_bytes()
    stripped.unlink()
    symbols = out / f"{name}.debug"
    run("objcopy", "--only-keep-debug", given.weir, str(symbols))
    libs = libraries(given.weir)
    sbom = bill(given.version, given.epoch, weir_bytes, libs)
    tree = contents(weir_bytes, sbom, f"{name}/", None)
    made = {f"{name}.tar.gz": tar_gz(tree, given.epoch), f"{name}.spdx.json": sbom, f"{name}.debug": symbols.read_bytes(),
            f"weir_{given.version}_{arch}.deb": deb(given.version, given.epoch, arch, contents(weir_bytes, sbom, "usr/", "lib/systemd/system/weir.service"), libs)}
    for file, body in made.items():
        (out / file).write_bytes(body)
    (out / "SHA256SUMS").write_text("".join(f"{hashlib.sha256(body).hexdigest()}  {file}\n" for file, body in sorted(made.items())))
    for left in ("SHA256SUMS.sig", "weir-release.pub"):
        (out / left).unlink(missing_ok=True)
    if given.key:
        sign(out, given.key)
    print(f"package: {name} in {out}, {len(libs)} libraries in its bill of materials, " + ("signed" if given.key else "NOT signed: no --key"))


if __name__ == "__main__":
    sys.exit(main())
