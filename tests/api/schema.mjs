// Checks replies against the OpenAPI document that Weir itself gives.
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

export class Api {
  constructor(document) {
    this.document = document;
    this.ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats(this.ajv);
    this.ajv.addSchema(document, "weir");
    this.exercised = new Set();
  }

  get operations() {
    return Object.entries(this.document.paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
  }

  // The operation a request was for: literal segments win over {names}.
  operation(method, path) {
    const want = path.split("?")[0].split("/");
    const fits = (template) => {
      const parts = template.split("/");
      return parts.length === want.length && parts.every((part, i) => part.startsWith("{") || part === want[i]);
    };
    const templates = Object.keys(this.document.paths).filter((t) => fits(t) && this.document.paths[t][method.toLowerCase()]);
    templates.sort((a, b) => a.split("{").length - b.split("{").length);
    return templates[0];
  }

  // Throws unless the reply is what the document says of it; returns the body.
  check(method, path, status, type, text) {
    const template = this.operation(method, path);
    if (!template) throw new Error(`${method} ${path} is not in the document`);
    this.exercised.add(`${method} ${template}`);
    const responses = this.document.paths[template][method.toLowerCase()].responses;
    const response = responses[status] ?? (status >= 400 ? responses.default : undefined);
    if (!response) throw new Error(`${method} ${template}: status ${status} is not in the document`);
    const media = type?.split(";")[0] ?? "";
    if (!response.content) {
      if (text.length) throw new Error(`${method} ${template}: a body where the document has none`);
      return undefined;
    }
    const content = response.content[media];
    if (!content) throw new Error(`${method} ${template}: ${status} is ${media}, the document says ${Object.keys(response.content)}`);
    if (!/[/+]json$/.test(media)) return text;
    const body = JSON.parse(text);
    const at = `weir#/paths/${template.replaceAll("~", "~0").replaceAll("/", "~1")}/${method.toLowerCase()}/responses/${responses[status] ? status : "default"}/content/${media.replaceAll("/", "~1")}/schema`;
    const valid = this.ajv.getSchema(at.replaceAll("{", "%7B").replaceAll("}", "%7D").replaceAll("+", "%2B")) ?? this.ajv.compile({ $ref: at });
    if (!(response.content[media].schema.type === "string") && !valid(body)) throw new Error(`${method} ${template}: ${JSON.stringify(valid.errors, null, 1)}\n${text}`);
    return body;
  }
}
