// Markdown as elements. HTML in it is shown as text: no markup of a text becomes part of the page.

import { lexer, type MarkedToken, type Token, type Tokens } from "marked";
import { type ComponentChild, Fragment, h } from "preact";

// The heading of the page and those of its parts are above those of a text.
const FIRST_HEADING = 3;
const SAFE_LINK = /^(https?:|mailto:)/i;
const SAFE_IMAGE = /^data:image\/(png|jpeg|gif|webp);base64,/i;
const LINE_BREAK = /^<br\s*\/?>$/i;
// Quotes and lists within each other, too many to parse in a moment.
const TOO_DEEP = /^(?:[ \t]*(?:>|[-*+](?=\s)|\d+[.)])){100}/m;
// The time to parse a paragraph grows faster than the number of marks of emphasis in it.
const MAX_MARKS = 1000;
const COMMENT = /^<!--.*-->\s*$/s;

export function MarkdownElements({ text }: { text: string }) {
  return <>{toElements(text)}</>;
}

function toElements(text: string): ComponentChild {
  if (TOO_DEEP.test(text) || hasTooManyMarks(text)) return text;
  try {
    return children(lexer(text, { gfm: true, breaks: true }));
  } catch {
    // More parts within each other than the stack can hold.
    return text;
  }
}

const hasTooManyMarks = (text: string): boolean =>
  text.split(/\n\s*\n/).some((paragraph) => (paragraph.match(/[*_]/g)?.length ?? 0) > MAX_MARKS);

const children = (tokens: Token[] | undefined): ComponentChild[] =>
  (tokens ?? []).map((token, index) => (
    <Fragment key={index}>{element(token as MarkedToken)}</Fragment>
  ));

function element(token: MarkedToken): ComponentChild {
  switch (token.type) {
    case "heading":
      return h(`h${Math.min(6, token.depth + FIRST_HEADING - 1)}`, null, children(token.tokens));
    case "paragraph":
      return <p>{children(token.tokens)}</p>;
    case "list":
      return list(token);
    case "table":
      return table(token);
    case "blockquote":
      return <blockquote>{children(token.tokens)}</blockquote>;
    case "code":
      return (
        <pre tabIndex={0}>
          <code>{token.text}</code>
        </pre>
      );
    case "hr":
      return <hr />;
    case "html":
      return html(token.text);
    case "space":
    case "def":
      return null;
    default:
      return inline(token);
  }
}

function inline(token: MarkedToken): ComponentChild {
  switch (token.type) {
    case "text":
      return token.tokens ? children(token.tokens) : decoded(token.text);
    case "escape":
      return token.text;
    case "strong":
      return <strong>{children(token.tokens)}</strong>;
    case "em":
      return <em>{children(token.tokens)}</em>;
    case "del":
      return <del>{children(token.tokens)}</del>;
    case "codespan":
      return <code>{token.text}</code>;
    case "br":
      return <br />;
    case "checkbox":
      return <input type="checkbox" checked={token.checked} disabled aria-label="done" />;
    case "link":
      return link(token.href, children(token.tokens), token.title);
    case "image":
      return image(token);
    default:
      return token.raw;
  }
}

const list = ({ ordered, start, items }: Tokens.List): ComponentChild =>
  h(
    ordered ? "ol" : "ul",
    ordered && start !== "" && start !== 1 ? { start } : null,
    items.map((item, index) => <li key={index}>{children(item.tokens)}</li>),
  );

const table = ({ header, rows }: Tokens.Table): ComponentChild => (
  <div class="wide" tabIndex={0}>
    <table>
      <thead>
        <tr>
          {header.map((cell, index) => (
            <th key={index} scope="col" class={cell.align ?? undefined}>
              {children(cell.tokens)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((cells, row) => (
          <tr key={row}>
            {cells.map((cell, index) => (
              <td key={index} class={cell.align ?? undefined}>
                {children(cell.tokens)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);

/** Links within the dashboard or of other schemes are shown as text. */
const link = (href: string, content: ComponentChild, title?: string | null): ComponentChild =>
  SAFE_LINK.test(href) ? (
    <a href={href} title={title ?? undefined} target="_blank" rel="noopener noreferrer">
      {content}
    </a>
  ) : (
    content
  );

/** An image of another site is a link to it: loading it would tell that site who reads this. */
const image = ({ href, text, title }: Tokens.Image): ComponentChild =>
  SAFE_IMAGE.test(href) ? <img src={href} alt={text} /> : link(href, text || href, title);

function html(text: string): ComponentChild {
  if (LINE_BREAK.test(text)) return <br />;
  return COMMENT.test(text) ? null : text;
}

/** A text with its character references, such as `&amp;`, as characters. */
const decoded = (text: string): string =>
  text.replace(/&(?:#\w+|\w+);/g, (reference) => {
    // Only a reference: this document has no markup, and is not shown.
    const document = new DOMParser().parseFromString(reference, "text/html");
    return document.documentElement.textContent ?? reference;
  });
