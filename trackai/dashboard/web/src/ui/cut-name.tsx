// A name that is cut in the middle if it is too long: long names often differ only at the end.

const TAIL = 14;

/** The start of a name, which may be cut, and its end. */
export const nameParts = (name: string): [string, string] => {
  const characters = [...name];
  const start = characters.length > 2 * TAIL ? characters.length - TAIL : characters.length;
  return [characters.slice(0, start).join(""), characters.slice(start).join("")];
};

export function CutName({ name }: { name: string }) {
  const [start, end] = nameParts(name);
  return (
    <span class="cut">
      <span>{start}</span>
      {end && <span>{end}</span>}
    </span>
  );
}
