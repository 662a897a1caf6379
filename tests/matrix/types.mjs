// The types that an SDK declares (*.d.ts), read far enough to make a value of each: interfaces, aliases, unions,
// arrays, literals, namespaces. What it cannot read it throws on; what has no wire form (functions, signals) is left out.
import fs from "node:fs";
import path from "node:path";

const word = /[A-Za-z_$][\w$]*/y;
const skip = /(?:\s+|\/\*[\s\S]*?\*\/|\/\/[^\n]*)*/y;

class Source {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.space();
  }
  space() {
    skip.lastIndex = this.at;
    skip.exec(this.text);
    this.at = skip.lastIndex;
  }
  is(what) {
    return this.text.startsWith(what, this.at) && !(/\w$/.test(what) && /[\w$]/.test(this.text[this.at + what.length] ?? ""));
  }
  take(what) {
    if (!this.is(what)) return false;
    this.at += what.length;
    this.space();
    return true;
  }
  need(what) {
    if (!this.take(what)) throw new Error(`expected ${what} at ${JSON.stringify(this.text.slice(this.at, this.at + 60))}`);
  }
  match(re) {
    re.lastIndex = this.at;
    const m = re.exec(this.text);
    if (!m) return undefined;
    this.at = re.lastIndex;
    this.space();
    return m[0];
  }
  name() {
    const n = this.match(word);
    if (!n) throw new Error(`expected a name at ${JSON.stringify(this.text.slice(this.at, this.at + 60))}`);
    return n;
  }
  // Past what is not read: up to the end of a statement or of a bracketed piece.
  pass() {
    for (let depth = 0; this.at < this.text.length; ) {
      const c = this.text[this.at];
      if (c === '"' || c === "'" || c === "`") {
        for (this.at++; this.text[this.at] !== c; this.at++) if (this.text[this.at] === "\\") this.at++;
        this.at++;
      } else {
        if ("{([".includes(c)) depth++;
        else if ("})]".includes(c)) depth--;
        this.at++;
        if ((c === ";" && depth === 0) || (c === "}" && depth === 0)) return this.space();
      }
      this.space();
    }
  }
}

const string = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/y;
const number = /-?\d+(?:\.\d+)?/y;

function readType(s) {
  s.take("|");
  let all = [readBoth(s)];
  while (s.take("|")) all.push(readBoth(s));
  return all.length === 1 ? all[0] : { kind: "union", of: all };
}

function readBoth(s) {
  s.take("&");
  const all = [readSuffixed(s)];
  while (s.take("&")) all.push(readSuffixed(s));
  return all.length === 1 ? all[0] : { kind: "both", of: all };
}

function readSuffixed(s) {
  let t = readOne(s);
  while (s.is("[")) {
    s.need("[");
    if (s.take("]")) t = { kind: "array", of: t };
    else {
      const key = readType(s);
      s.need("]");
      t = { kind: "member", of: t, key };
    }
  }
  return t;
}

function readOne(s) {
  if (s.take("keyof") || s.take("readonly") || s.take("unique")) return readOne(s);
  if (s.take("typeof")) {
    while (s.match(word) && s.take("."));
    return { kind: "any" };
  }
  if (s.is("{")) return readObject(s);
  if (s.is("(")) {
    const from = s.at;
    try {
      s.need("(");
      const t = readType(s);
      s.need(")");
      if (!s.is("=>")) return t;
    } catch {
      // a function's parameters
    }
    s.at = from;
    let depth = 0;
    do {
      if (s.is("(")) depth++;
      if (s.is(")")) depth--;
      s.at++;
      s.space();
    } while (depth);
    s.need("=>");
    readType(s);
    return { kind: "function" };
  }
  if (s.take("[")) {
    const of = [];
    while (!s.take("]")) {
      of.push(readType(s));
      s.take(",");
    }
    return { kind: "tuple", of };
  }
  const text = s.match(string);
  if (text) return { kind: "literal", value: JSON.parse(text.replace(/^'|'$/g, '"')) };
  const n = s.match(number);
  if (n) return { kind: "literal", value: Number(n) };
  if (s.is("`")) {
    s.at = s.text.indexOf("`", s.at + 1) + 1;
    s.space();
    return { kind: "word", name: "string", args: [] };
  }
  let name = s.name();
  while (s.take(".")) name += `.${s.name()}`;
  const args = [];
  if (s.take("<")) {
    do args.push(readType(s));
    while (s.take(","));
    s.need(">");
  }
  return { kind: "word", name, args };
}

function readObject(s) {
  const out = { kind: "object", fields: [], rest: undefined };
  s.need("{");
  while (!s.take("}")) {
    s.take("readonly");
    if (s.take("[")) {
      s.name();
      s.need(":");
      readType(s);
      s.need("]");
      s.need(":");
      out.rest = readType(s);
    } else {
      const quoted = s.match(string);
      const name = quoted ? JSON.parse(quoted.replace(/^'|'$/g, '"')) : s.name();
      const optional = s.take("?");
      const isMethod = ["get", "set", "static", "private", "protected"].includes(name) && /[\w$#]/.test(s.text[s.at]);
      if (s.is("(") || s.is("<") || isMethod) {
        s.pass();
        continue;
      }
      s.need(":");
      out.fields.push({ name, optional, type: readType(s) });
    }
    s.take(";") || s.take(",");
  }
  return out;
}

function readParameters(s) {
  const names = [];
  if (!s.take("<")) return names;
  do {
    names.push(s.name());
    if (s.take("extends")) readType(s);
    if (s.take("=")) readType(s);
  } while (s.take(","));
  s.need(">");
  return names;
}

function readDeclarations(s, prefix, to) {
  while (s.at < s.text.length && !s.is("}")) {
    const from = s.at;
    if (s.take("import")) {
      const m = /import\s+(?:type\s+)?(?:\*\s+as\s+([\w$]+)|\{([^}]*)\})\s+from\s+["']([^"']+)["']/y;
      m.lastIndex = from;
      const found = m.exec(s.text);
      if (found?.[1]) to.modules.set(found[1], found[3]);
      for (const one of found?.[2]?.split(",") ?? []) {
        const [name, as] = one.trim().replace(/^type\s+/, "").split(/\s+as\s+/);
        if (name) to.names.set(as ?? name, { name, file: found[3] });
      }
      s.at = s.text.indexOf("\n", from) + 1;
      if (found) s.at = from + found[0].length;
      s.space();
      s.take(";");
      continue;
    }
    s.take("export");
    s.take("declare");
    s.take("default");
    if (s.take("interface")) {
      const name = prefix + s.name();
      const parameters = readParameters(s);
      const bases = [];
      if (s.take("extends"))
        do bases.push(readOne(s));
        while (s.take(","));
      to.types.set(name, { scope: name, parameters, type: bases.length ? { kind: "both", of: [...bases, readObject(s)] } : readObject(s) });
    } else if (s.take("type")) {
      const name = prefix + s.name();
      const parameters = readParameters(s);
      s.need("=");
      try {
        to.types.set(name, { scope: name, parameters, type: readType(s) });
        s.take(";");
      } catch {
        s.at = from;
        s.pass();
      }
    } else if (s.take("namespace")) {
      const name = s.name();
      s.need("{");
      readDeclarations(s, `${prefix}${name}.`, to);
      s.need("}");
    } else if (s.take("enum")) {
      const name = prefix + s.name();
      const of = [];
      s.need("{");
      while (!s.take("}")) {
        s.name();
        s.need("=");
        of.push(readOne(s));
        s.take(",");
      }
      to.types.set(name, { scope: name, parameters: [], type: { kind: "union", of } });
    } else if (s.is("class") || s.is("abstract")) {
      s.take("abstract");
      s.take("class");
      const name = prefix + s.name();
      to.types.set(name, { scope: name, parameters: [], type: readClass(s) });
    } else s.pass();
    if (s.at === from) throw new Error(`cannot read ${JSON.stringify(s.text.slice(from, from + 80))}`);
  }
}

// A class is what its plain members are.
function readClass(s) {
  const from = s.at;
  let bases = [];
  try {
    readParameters(s);
    if (s.take("extends")) bases = [readOne(s)];
    const object = readObject(s);
    return bases.length ? { kind: "both", of: [...bases, object] } : object;
  } catch {
    s.at = from;
    while (!s.is("{")) s.at++;
    s.pass();
    return { kind: "any" };
  }
}

const files = new Map();

function load(file) {
  if (!files.has(file)) {
    const to = { file, types: new Map(), modules: new Map(), names: new Map() };
    files.set(file, to);
    readDeclarations(new Source(fs.readFileSync(file, "utf8")), "", to);
  }
  return files.get(file);
}

const beside = (from, name) => {
  if (!name.startsWith(".")) return undefined;
  const base = path.resolve(path.dirname(from), name.replace(/\.m?js$/, ""));
  return [`${base}.d.ts`, `${base}/index.d.ts`].find((f) => fs.existsSync(f));
};

// What a name stands for, looked for from the inside out; undefined: a type of the language.
function find(file, scope, name) {
  const own = load(file);
  const inside = scope.split(".");
  for (let n = inside.length; n >= 0; n--) {
    const full = [...inside.slice(0, n), name].join(".");
    if (own.types.has(full)) return { file, ...own.types.get(full) };
  }
  const [first, ...rest] = name.split(".");
  if (own.modules.has(first) && rest.length) {
    const other = beside(file, own.modules.get(first));
    return other && find(other, "", rest.join("."));
  }
  if (own.names.has(first)) {
    const other = beside(file, own.names.get(first).file);
    return other && find(other, "", [own.names.get(first).name, ...rest].join("."));
  }
  return undefined;
}

// One level of a type: { kind: text|number|flag|literal|null|none|any|list|object|union }.
export class Type {
  constructor(file, scope, raw, bound = new Map()) {
    Object.assign(this, { file, scope, raw, bound });
  }
  static of(file, name) {
    const found = find(file, "", name);
    if (!found) throw new Error(`${file} has no type ${name}`);
    const t = new Type(found.file, found.scope, found.type);
    t.name = name;
    return t;
  }
  same(raw) {
    return new Type(this.file, this.scope, raw, this.bound);
  }
  plain() {
    const { raw } = this;
    switch (raw.kind) {
      case "literal":
        return { kind: "literal", value: raw.value };
      case "array":
        return { kind: "list", of: this.same(raw.of) };
      case "tuple":
        return { kind: "list", of: this.same(raw.of[0]) };
      case "function":
        return { kind: "none" };
      case "any":
      case "member":
        return { kind: "any" };
      case "union": {
        const of = raw.of.flatMap((one) => {
          const t = this.same(one);
          const p = t.plain();
          return p.kind === "union" ? p.of : p.kind === "none" ? [] : [t];
        });
        return { kind: "union", of };
      }
      case "both": {
        const fields = new Map();
        let rest, name;
        const parts = raw.of.map((one) => this.same(one).plain());
        for (const p of parts) {
          if (p.kind === "union" && parts.length === 2) return p; // string & {}
          if (p.kind !== "object") continue;
          for (const f of p.fields) fields.set(f.name, f);
          rest ??= p.rest;
        }
        if (!parts.some((p) => p.kind === "object" && (p.fields.length || p.rest))) return parts[0];
        return { kind: "object", fields: [...fields.values()], rest, name };
      }
      case "object":
        return {
          kind: "object",
          fields: raw.fields.map((f) => ({ ...f, type: this.same(f.type) })),
          rest: raw.rest && this.same(raw.rest),
        };
      case "word":
        return this.word(raw);
    }
    throw new Error(`no such kind: ${raw.kind}`);
  }
  word({ name, args }) {
    if (this.bound.has(name)) return this.bound.get(name).plain();
    const found = find(this.file, this.scope, name);
    if (found) {
      const bound = new Map(found.parameters.map((p, i) => [p, args[i] ? this.same(args[i]) : this.same({ kind: "any" })]));
      const t = new Type(found.file, found.scope, found.type, bound);
      t.name = name;
      const p = t.plain();
      return p.kind === "object" && !p.name ? { ...p, name: `${found.file}:${found.scope}` } : p;
    }
    if (["string", "Date", "Blob", "Uint8Array", "Buffer"].includes(name)) return { kind: "text", bytes: name === "Uint8Array" };
    if (name === "number" || name === "bigint") return { kind: "number" };
    if (name === "boolean") return { kind: "flag" };
    if (name === "null") return { kind: "null" };
    if (name === "true" || name === "false") return { kind: "literal", value: name === "true" };
    if (["undefined", "never", "void", "AbortSignal"].includes(name)) return { kind: "none" };
    if (name === "Array" || name === "ReadonlyArray" || name === "Iterable") return { kind: "list", of: this.same(args[0]) };
    if (name === "Record") return { kind: "object", fields: [], rest: this.same(args[1]) };
    if (name === "Partial" || name === "Required" || name === "Readonly") return this.same(args[0]).plain();
    if (name === "Omit") {
      const from = this.same(args[0]).plain();
      const keys = this.same(args[1]).plain();
      const out = (keys.kind === "union" ? keys.of.map((k) => k.plain()) : [keys]).map((k) => k.value);
      return { ...from, fields: from.fields.filter((f) => !out.includes(f.name)) };
    }
    return { kind: "any" };
  }
}
