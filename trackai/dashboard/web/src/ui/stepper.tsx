// A slider over the steps of a series.

interface Props {
  label: string;
  /** The step that is shown, such as "step 5". */
  place: string;
  index: number;
  count: number;
  note: string;
  onChange: (index: number) => void;
}

export const Stepper = ({ label, place, index, count, note, onChange }: Props) => (
  <label class="stepper">
    <span>{place}</span>
    <input
      type="range"
      min="0"
      max={count - 1}
      step="1"
      value={index}
      aria-label={label}
      aria-valuetext={place}
      onInput={(event) => onChange(Number(event.currentTarget.value))}
    />
    <small>{note}</small>
  </label>
);
