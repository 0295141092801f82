// A button that hides and shows something.

interface Props {
  name: string;
  isHidden: boolean;
  onToggle: () => void;
}

export const Eye = ({ name, isHidden, onToggle }: Props) => (
  <button
    type="button"
    class={isHidden ? "eye closed" : "eye"}
    aria-label={`${isHidden ? "Show" : "Hide"} the line of ${name}`}
    aria-keyshortcuts="H"
    title={isHidden ? "Show its line (H)" : "Hide its line (H)"}
    tabIndex={-1}
    onClick={onToggle}
  >
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path
        d="M1 8c3-5 11-5 14 0-3 5-11 5-14 0z M8 6a2 2 0 1 1 0 4 2 2 0 1 1 0-4"
        fill="none"
        stroke="currentColor"
        stroke-width="1.4"
      />
      {isHidden && <path d="M2 14 14 2" stroke="currentColor" stroke-width="1.6" />}
    </svg>
  </button>
);
