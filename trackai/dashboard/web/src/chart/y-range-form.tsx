// The range of a y axis, typed.

import { useEffect, useRef, useState } from "preact/hooks";
import { useLiveInput } from "../ui/live-input";
import { yLimits } from "../view/parameters";
import { isRange, type Limits, parseLimit } from "../view/parsing";
import { setYLimits } from "./y-axis";

/** A button that opens two fields below it. */
export function YRangeForm({ path }: { path: string }) {
  const box = useRef<HTMLSpanElement>(null);
  const [isOpen, setOpen] = useState(false);
  const limits = yLimits.value.get(path);
  useEffect(() => {
    if (!isOpen) return;
    box.current?.querySelector("input")?.focus();
    const onPointerDown = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener("pointerdown", onPointerDown);
    return () => removeEventListener("pointerdown", onPointerDown);
  }, [isOpen]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !isOpen) return;
    // Keep a surrounding dialog open.
    event.preventDefault();
    event.stopPropagation();
    setOpen(false);
    box.current?.querySelector("button")?.focus();
  };
  return (
    <span class="y-range" role="group" ref={box} onKeyDown={onKeyDown}>
      <button
        type="button"
        class={limits ? "quiet set" : "quiet"}
        aria-label={`Y range: ${path}`}
        aria-expanded={isOpen}
        title={limits ? "Y range, set by hand" : "Y range"}
        onClick={() => setOpen(!isOpen)}
      >
        ↕
      </button>
      {isOpen && <Fields path={path} limits={limits ?? {}} />}
    </span>
  );
}

function Fields({ path, limits }: { path: string; limits: Limits }) {
  const [problem, setProblem] = useState("");
  const min = useLiveInput(String(limits.min ?? ""));
  const max = useLiveInput(String(limits.max ?? ""));
  const apply = () => {
    const typed = [min.current?.value ?? "", max.current?.value ?? ""];
    const [low, high] = typed.map(parseLimit);
    const isNumber = typed.every((text) => !text.trim() || parseLimit(text) !== undefined);
    const isEmpty = low === undefined && high === undefined;
    if (!isNumber) return setProblem("Must be numbers");
    if (!isEmpty && !isRange({ min: low, max: high })) return setProblem("Min must be below max");
    setProblem("");
    setYLimits(path, isEmpty ? undefined : { min: low, max: high });
  };
  const field = (name: string, input: typeof min) => (
    <label>
      {name}
      <input
        ref={input}
        type="text"
        inputMode="decimal"
        size={9}
        placeholder="auto"
        aria-invalid={problem ? "true" : undefined}
        onChange={apply}
      />
    </label>
  );
  return (
    <form
      class="menu"
      onSubmit={(event) => {
        event.preventDefault();
        apply();
      }}
    >
      {field("Min", min)}
      {field("Max", max)}
      <button type="button" onClick={() => setYLimits(path, undefined)}>
        Automatic
      </button>
      {/* Enter in a field applies it. */}
      <button type="submit" hidden />
      {problem && <output class="problem">{problem}</output>}
    </form>
  );
}
