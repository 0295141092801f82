// The note on a chart that does not show all values.

export const HiddenValues = ({ text }: { text: string }) =>
  text ? (
    <output class="left-out" title={text}>
      {text}
    </output>
  ) : null;
