// A figure of Plotly, Vega or Vega-Lite in a frame without an origin.

import { useEffect, useRef, useState } from "preact/hooks";
import { fileUrl } from "../api/media";
import type { FileRecord } from "../api/types";
import type { FigureRequest, FrameMessage, Library } from "../frame/messages";
import { errorText } from "../ui/errors";
import { isDark } from "../ui/theme";
import "../styles/drawings.css";

const PAGE = "/assets/figure.html";
const [MIN_HEIGHT, MAX_HEIGHT] = [120, 2000];
// In bytes: what is larger stops the browser for long.
const MAX_SIZE = 50_000_000;

interface Props {
  library: Library;
  file: FileRecord;
  label: string;
}

export function FigureFrame({ library, file, label }: Props) {
  const frame = useRef<HTMLIFrameElement>(null);
  const [height, setHeight] = useState(450);
  const isReady = useRef(false);
  const [drawnFile, setDrawnFile] = useState<number>();
  const [problems, setProblems] = useState<string[]>([]);
  const dark = isDark.value;
  const isLarge = (file.size ?? 0) > MAX_SIZE;
  useEffect(() => {
    if (isLarge) return;
    const stop = new AbortController();
    const text = fetch(fileUrl(file.id), { signal: stop.signal }).then((response) => {
      if (!response.ok) throw new Error("the file is not on the server");
      return response.text();
    });
    const note = (problem: string) =>
      setProblems((before) => (before.includes(problem) ? before : [...before, problem]));
    const fail = (problem: unknown) =>
      stop.signal.aborted || note(`The figure cannot be drawn: ${errorText(problem)}`);
    const send = async () => {
      const request: FigureRequest = { id: file.id, library, text: await text, isDark: dark };
      // The frame has no origin that could be named.
      frame.current?.contentWindow?.postMessage(request, "*");
    };
    const receive = ({ source, data }: MessageEvent<FrameMessage>) => {
      if (source !== frame.current?.contentWindow) return;
      if (data.type === "ready") {
        isReady.current = true;
        send().catch(fail);
      } else if (data.id !== file.id) return;
      else if (data.type === "problem") note(String(data.text));
      else {
        setDrawnFile(file.id);
        setHeight(Math.min(MAX_HEIGHT, Math.max(MIN_HEIGHT, Number(data.height) || 0)));
      }
    };
    addEventListener("message", receive);
    setProblems([]);
    // The frame is loaded once, for the figures of all steps.
    if (isReady.current) send().catch(fail);
    else text.catch(fail);
    return () => {
      stop.abort();
      removeEventListener("message", receive);
    };
  }, [library, file.id, dark, isLarge]);
  if (isLarge) return <p class="problem">This figure is too large to be drawn.</p>;
  return (
    <>
      <iframe
        class="figure"
        ref={frame}
        loading="lazy"
        sandbox="allow-scripts"
        src={PAGE}
        title={label}
        style={{ height: `${height}px` }}
      />
      {drawnFile !== file.id && problems.length === 0 && <p class="faint">Drawing the figure…</p>}
      {problems.map((problem) => (
        <p key={problem} class="problem" role="alert">
          {problem}
        </p>
      ))}
    </>
  );
}
