import { isIdentifier, type Node, type SourceFile, SyntaxKind } from "typescript/unstable/ast";
import { API } from "typescript/unstable/sync";

export type FoundString = { file: string; line: number; text: string };

/** Attributes and properties that hold names for machines: classes, ids, routes, tests. */
const machineNames = new Set(
  "className class style href id htmlFor key type role name rel method source autoComplete inputMode d viewBox look tone".split(
    " ",
  ),
);
const skipped = new Set<SyntaxKind>([
  SyntaxKind.ImportDeclaration,
  SyntaxKind.ExportDeclaration,
  SyntaxKind.LiteralType,
  SyntaxKind.TemplateLiteralType,
]);
const betweenTags = new Set<SyntaxKind>([SyntaxKind.JsxElement, SyntaxKind.JsxFragment]);
const choices = new Set<SyntaxKind>([SyntaxKind.ConditionalExpression, SyntaxKind.BinaryExpression]);

const notForPeople = [
  /^use client$/,
  /^(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|BEGIN|select|insert|update|delete|with|pragma) /,
  // Class lists, style sheets and media queries, scripts, shell, headers.
  /(^| )(-?(max-)?(md|hover|focus-visible):|(bg|text|border|rounded|flex|grid|p[xy]?|m[xytblr]?|gap|w|h|size)-[\w[])/,
  /[:=][^ ]+;|=> |^\(\w+-|^(-|--) ?\w| -- |&& |HTTP\/1|; charset=|^\d*px /,
];

/** A sentence, a label or a piece of one, rather than a key, a class list, a path or SQL. */
function isForPeople(text: string, isShown: boolean): boolean {
  const words = text.replaceAll("{…}", " ").trim();
  if (!/\p{L}/u.test(words)) return false;
  if (isShown || /^[A-Z]\p{Ll}+$/u.test(words)) return true;
  if (notForPeople.some((pattern) => pattern.test(text))) return false;
  return /\p{L}{2}/u.test(words) && /\p{L}[\p{L},.:;’”]* \S|\S [“‘(]?\p{L}/u.test(text);
}

/** Markup within a literal keeps its words. */
const withoutTags = (text: string): string =>
  text
    .replaceAll(/<style>.*?<\/style>|<[!/]?[a-z][^>]*>/gs, " ")
    .replaceAll(/\s+/g, " ")
    .trim();

/** What a literal says, with {…} where a template puts a value. */
function textOf(node: Node, source: string): string | undefined {
  const raw = source.slice(node.pos, node.end).trim();
  if (node.kind === SyntaxKind.JsxText) return raw;
  if (node.kind === SyntaxKind.StringLiteral || node.kind === SyntaxKind.NoSubstitutionTemplateLiteral)
    return raw.slice(1, -1);
  if (node.kind !== SyntaxKind.TemplateExpression) return undefined;
  const pieces = childrenOf(node).map((child) => childrenOf(child).at(-1) ?? child);
  return pieces
    .map((piece) =>
      source
        .slice(piece.pos, piece.end)
        .trim()
        .replace(/^[`}]|(\$\{|`)$/g, ""),
    )
    .join("{…}");
}

function childrenOf(node: Node): Node[] {
  const children: Node[] = [];
  node.forEachChild((child) => {
    children.push(child);
  });
  return children;
}

const isSql = (node: Node, source: string): boolean =>
  node.kind === SyntaxKind.TaggedTemplateExpression && /^\s*sql\b/.test(source.slice(node.pos, node.end));

/** Whether a name stands before this value that people never see: an attribute's, or a property's. */
function isNamedForMachines(node: Node): boolean {
  if (node.kind !== SyntaxKind.JsxAttribute && node.kind !== SyntaxKind.PropertyAssignment) return false;
  const [name] = childrenOf(node);
  return name !== undefined && isIdentifier(name) && machineNames.has(name.text);
}

function collect(file: string, tree: SourceFile): FoundString[] {
  const found: FoundString[] = [];
  const visit = (node: Node, isShown: boolean): void => {
    if (skipped.has(node.kind) || isNamedForMachines(node) || isSql(node, tree.text)) return;
    const text = withoutTags(textOf(node, tree.text) ?? "");
    if (isForPeople(text, isShown || node.kind === SyntaxKind.JsxText)) {
      const start = node.pos + (/\S/.exec(tree.text.slice(node.pos))?.index ?? 0);
      found.push({ file, line: tree.getLineAndCharacterOfPosition(start).line + 1, text });
    }
    // What a condition chooses between is shown too; what a component or a call is given has a name of its own.
    const stays = isShown && choices.has(node.kind);
    const isInTags = node.kind === SyntaxKind.JsxExpression && betweenTags.has(node.parent.kind);
    for (const [index, child] of childrenOf(node).entries()) visit(child, isInTags || (stays && index > 0));
  };
  visit(tree, false);
  return found;
}

/** Every string in these files that people may read, read with the compiler's own parser. Names are absolute. */
export function readStrings(
  files: readonly string[],
  fs?: { readFile: (name: string) => string | undefined },
) {
  const config = "/strings.tsconfig.json";
  const options = { noResolve: true, noLib: true, types: [], allowJs: true, jsx: "preserve", noEmit: true };
  const api = new API({
    fs: {
      readFile: (name) =>
        name === config ? JSON.stringify({ compilerOptions: options, files }) : fs?.readFile(name),
    },
  });
  try {
    const program = api.updateSnapshot({ openProjects: [config] }).getProject(config)?.program;
    return files.flatMap((file) => {
      const tree = program?.getSourceFile(file);
      if (tree === undefined) throw new Error(`${file} could not be parsed.`);
      return collect(file, tree);
    });
  } finally {
    api.close();
  }
}
