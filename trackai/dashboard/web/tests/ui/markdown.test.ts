import type { ComponentChild, VNode } from "preact";
import { describe, expect, test, vi } from "vitest";
import { MarkdownElements } from "../../src/ui/markdown-elements";

// As many references as the tests need.
const REFERENCES: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&#42;": "*" };
vi.stubGlobal(
  "DOMParser",
  class {
    parseFromString = (text: string) => ({
      documentElement: { textContent: REFERENCES[text] ?? text },
    });
  },
);

const escaped = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** Elements as the HTML that a browser makes of them. */
function html(child: ComponentChild): string {
  if (child === null || child === undefined || typeof child === "boolean") return "";
  if (Array.isArray(child)) return child.map(html).join("");
  if (typeof child !== "object") return escaped(String(child));
  const { type, props } = child as VNode<Record<string, unknown>>;
  const content = html(props.children as ComponentChild);
  if (typeof type === "function") return content;
  const attributes = Object.entries(props)
    .filter(([name, value]) => name !== "children" && value !== undefined && value !== false)
    .map(([name, value]) => ` ${name}="${value}"`);
  return `<${type}${attributes.join("")}>${content}</${type}>`;
}

const rendered = (text: string): string => html(MarkdownElements({ text }));

describe("MarkdownElements", () => {
  test.each([
    ["# Title", "<h3>Title</h3>"],
    ["###### Deep", "<h6>Deep</h6>"],
    [
      "**bold** and *it* and `a < b`",
      "<p><strong>bold</strong> and <em>it</em> and <code>a &lt; b</code></p>",
    ],
    ["one\ntwo", "<p>one<br></br>two</p>"],
    ["- a\n- b", "<ul><li>a</li><li>b</li></ul>"],
    ["3. a", '<ol start="3"><li>a</li></ol>'],
    ["```py\nx = 1 < 2\n```", '<pre tabIndex="0"><code>x = 1 &lt; 2</code></pre>'],
    ["a &amp; b &lt; \\* &#42;", "<p>a &amp; b &lt; * *</p>"],
    ["> quoted", "<blockquote><p>quoted</p></blockquote>"],
    ["a<br>b", "<p>a<br></br>b</p>"],
    ["a <!-- hidden --> b", "<p>a  b</p>"],
  ])("%j", (text, expected) => {
    expect(rendered(text)).toBe(expected);
  });

  test("tables keep the alignment of their columns", () => {
    const table = rendered("| a | b |\n| --- | ---: |\n| 1 | 2 |");
    expect(table).toContain('<th scope="col" class="right">b</th>');
    expect(table).toContain('<td class="right">2</td>');
  });

  test("links open elsewhere and do not tell where they are from", () => {
    expect(rendered("[site](https://example.org 'Title')")).toBe(
      '<p><a href="https://example.org" title="Title" target="_blank" rel="noopener noreferrer">' +
        "site</a></p>",
    );
    expect(rendered("https://example.org/x")).toContain('href="https://example.org/x"');
  });

  test.each([
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html,<script>1</script>)",
    "[x](vbscript:x)",
    "[x](/api/runs)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "[x][1]\n\n[1]: javascript:alert(1)",
  ])("%j is not a link", (text) => {
    expect(rendered(text)).not.toContain("href");
  });

  test.each([
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onclick='x'>bold</b>",
    "<iframe srcdoc='x'></iframe>",
    "<style>* {}</style>",
  ])("%j is shown as text", (text) => {
    const shown = rendered(text).replace(/<\/?p>/g, "");
    expect(shown).not.toMatch(/<[a-z]/i);
    expect(shown).toContain("&lt;");
  });

  test("images of other sites are links, those in the text are shown", () => {
    expect(rendered("![plot](https://example.org/a.png)")).toContain(">plot</a>");
    expect(rendered("![dot](data:image/png;base64,AAAA)")).toContain(
      '<img src="data:image/png;base64,AAAA" alt="dot">',
    );
    expect(rendered("![x](data:image/svg+xml;base64,AAAA)")).not.toContain("<img");
  });

  test.each([
    [">".repeat(50_000)],
    [`first\n${"> ".repeat(50_000)}`],
    ["- ".repeat(30_000)],
    ["1. ".repeat(30_000)],
    ["_a*".repeat(15_000)],
  ])("a text that would take seconds to parse is shown as it is", (text) => {
    const started = performance.now();
    expect(rendered(text)).toBe(text);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
