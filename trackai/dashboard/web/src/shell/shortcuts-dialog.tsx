// The list of keyboard shortcuts.

import { Checkbox } from "../ui/controls";
import { Modal } from "../ui/modal";
import { hasSingleKeys, PALETTE_KEYS, setSingleKeys } from "./shortcuts";

const SECTIONS: [title: string, keys: [keys: string, action: string][]][] = [
  [
    "Everywhere",
    [
      [PALETTE_KEYS, "Search everything, and run an action"],
      ["/", "Go to the search box of the page"],
      ["P", "Switch project"],
      ["U", "Go up: to the project, then to all projects"],
      ["A", "Show alerts"],
      ["T", "Switch between light and dark"],
      ["?", "Show this list"],
      ["Esc", "Close a dialog or a menu"],
    ],
  ],
  [
    "A row of the table",
    [
      ["F2", "Rename the run"],
      ["H", "Hide or show its line"],
      ["C", "Set its colour"],
      ["B", "Compare the other runs with it"],
    ],
  ],
  [
    "The head of a column",
    [
      ["Shift ← →", "Move it"],
      ["[ ]", "Make it narrower or wider"],
      ["P", "Pin or unpin it"],
      ["Del", "Remove it"],
    ],
  ],
  [
    "A chart",
    [
      ["← →", "Move the cursor"],
      ["+ −", "Zoom in and out"],
      ["Esc", "Reset the zoom"],
    ],
  ],
];

export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  return (
    <Modal title="Keyboard shortcuts" class="shortcuts" hasHead onClose={onClose}>
      {SECTIONS.map(([title, keys]) => (
        <section key={title} aria-label={title}>
          <h2>{title}</h2>
          <dl>
            {keys.map(([name, action]) => (
              <div key={name}>
                <dt>
                  <kbd>{name}</kbd>
                </dt>
                <dd>{action}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      <p>
        <Checkbox checked={hasSingleKeys.value} onChange={setSingleKeys}>
          {" "}
          Use single keys (/ P U A T ?)
        </Checkbox>
      </p>
    </Modal>
  );
}
