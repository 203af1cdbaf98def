// What the pages' scripts say, found in their TypeScript: the keys of t, tn and later, and the texts that go past them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** Folders of scripts that run in a page, from the module's root. */
const folders = ["web/editor/src", "web/pages"];

export interface Found {
  /** The keys, each with the files that say it. */
  readonly keys: Map<string, Set<string>>;
  /** Texts that a person would read in English only, by file. */
  readonly beside: Map<string, string[]>;
  /** Calls of t, tn and later whose key is not known before the program runs, by file. */
  readonly open: Map<string, string[]>;
}

/** Reads every script of the pages. */
export function scriptsOf(root: string): Found {
  const found: Found = { keys: new Map(), beside: new Map(), open: new Map() };
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).sort()) {
      if (!name.endsWith(".ts") || name.endsWith(".d.ts") || name.startsWith("test/")) continue;
      const path = `${folder}/${name}`;
      readScript(path, readFileSync(join(root, path), "utf8"), found);
    }
  }
  return found;
}

/** Attributes whose value is read by a person. */
const read = new Set(["title", "aria-label", "aria-description", "aria-roledescription", "aria-valuetext", "placeholder", "alt", "label", "hint", "data-keyed", "data-tip", "textContent", "innerText", "words", "message", "why", "what"]);

/** Functions whose text arguments are read by a person. */
const telling = new Set(["h", "button", "fill", "say", "icon", "append", "prepend", "replaceChildren", "createTextNode", "emit", "setAttribute", "Error"]);

/** Reads one script into `found`. */
export function readScript(path: string, source: string, found: Found): void {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.ES2022, true);
  const note = (list: Map<string, string[]>, text: string) => list.set(path, [...(list.get(path) ?? []), text]);
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && ["t", "tn", "later"].includes(node.expression.text)) {
      const plural = node.expression.text === "tn";
      const keys = constants(node.arguments[plural ? 2 : 0]);
      if (!keys) note(found.open, node.getText());
      for (const key of keys ?? []) found.keys.set(key, (found.keys.get(key) ?? new Set()).add(path));
      for (const at of node.arguments.slice(plural ? 3 : 1)) visit(at);
      if (plural && node.arguments[0]) visit(node.arguments[0]);
      return;
    }
    const text = literalOf(node);
    if (text !== null && isProse(text) && isTold(node)) note(found.beside, text);
    ts.forEachChild(node, visit);
  };
  visit(file);
}

/** The strings an expression can be, where all are written down: a literal, or a choice between such. */
function constants(node: ts.Expression | undefined): string[] | null {
  if (!node) return null;
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return [node.text];
  if (ts.isParenthesizedExpression(node)) return constants(node.expression);
  if (ts.isConditionalExpression(node)) {
    const [yes, no] = [constants(node.whenTrue), constants(node.whenFalse)];
    return yes && no && [...yes, ...no];
  }
  return null;
}

/** The words of a string or a template, its holes as {}. */
function literalOf(node: ts.Node): string | null {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node)) return node.head.text + node.templateSpans.map((s) => `{}${s.literal.text}`).join("");
  return null;
}

/** Whether a string is made of words for people: two words with a space between, or one with a capital letter. */
const isProse = (said: string, text = said.replaceAll("ABN Studio", "")): boolean => /\p{L}[,.:;…)}]? [({“]?\p{L}/u.test(text) || /^\p{Lu}\p{Ll}+/u.test(text);

/** Whether a string ends up where a person reads it, as far as its place in the code tells. */
function isTold(node: ts.Node): boolean {
  for (let at = node; at.parent as ts.Node | undefined; at = at.parent) {
    const parent = at.parent;
    if (ts.isConditionalExpression(parent) && parent.condition !== at) continue;
    if (ts.isParenthesizedExpression(parent) || ts.isArrayLiteralExpression(parent) || ts.isSpreadElement(parent) || ts.isTemplateSpan(parent) || ts.isTemplateExpression(parent)) continue;
    if (ts.isBinaryExpression(parent)) {
      const operator = parent.operatorToken.kind;
      if (operator === ts.SyntaxKind.EqualsToken) return ts.isPropertyAccessExpression(parent.left) && read.has(parent.left.name.text);
      if ([ts.SyntaxKind.PlusToken, ts.SyntaxKind.BarBarToken, ts.SyntaxKind.QuestionQuestionToken, ts.SyntaxKind.AmpersandAmpersandToken].includes(operator)) continue;
      return false;
    }
    if (ts.isPropertyAssignment(parent)) {
      if (parent.name === at) return false;
      const name = ts.isIdentifier(parent.name) || ts.isStringLiteral(parent.name) ? parent.name.text : "";
      return read.has(name) || /^(text|title|words?|name|note|what|why|message|does)$/.test(name);
    }
    if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) {
      const called = parent.expression;
      const name = ts.isIdentifier(called) ? called.text : ts.isPropertyAccessExpression(called) ? called.name.text : "";
      if (name === "emit" || name === "setAttribute") return parent.arguments?.[0] !== at;
      if (name === "h" || name === "button") return parent.arguments?.[0] !== at;
      return telling.has(name) || /(dialog|notice|slider|segments|choice|panel|note|tell|during|backToWork|putAside)/i.test(name);
    }
    if (ts.isReturnStatement(parent) || ts.isArrowFunction(parent) || ts.isVariableDeclaration(parent)) return / /.test(literalOf(node) ?? "");
    return false;
  }
  return false;
}
