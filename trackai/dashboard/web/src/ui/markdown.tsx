// A text in Markdown. The parser is loaded when the first one is shown.

import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";

// Longer texts are shown as they are, in characters.
const MAX_LENGTH = 50_000;

interface Props {
  text: string;
}

let Loaded: FunctionComponent<Props> | undefined;

/** The text is shown as it is until the parser has arrived, and if it cannot be loaded. */
export function Markdown({ text }: Props) {
  const isShort = text.length <= MAX_LENGTH;
  const [Rendered, setRendered] = useState(() => Loaded);
  useEffect(() => {
    if (Rendered || !isShort) return;
    import("./markdown-elements").then(
      ({ MarkdownElements }) => {
        Loaded = MarkdownElements;
        setRendered(() => MarkdownElements);
      },
      () => undefined,
    );
  }, [isShort]);
  return Rendered && isShort ? (
    <div class="markdown">
      <Rendered text={text} />
    </div>
  ) : (
    <div class="markdown plain">{text}</div>
  );
}
