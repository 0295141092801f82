// The panels of a view in sections, and the tools that change them.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Columns } from "../api/types";
import type { Panel, Section, View } from "../api/views";
import type { BoardProps } from "../chart/chart-list";
import { FullScreen } from "../chart/full-screen";
import { EditableName } from "../ui/editable-name";
import { errorText } from "../ui/errors";
import { ErrorMessage } from "../ui/messages";
import { replaceParameters } from "../view/address";
import { closedSections, fullScreenPath } from "../view/parameters";
import { printList } from "../view/parsing";
import {
  addPanel,
  addSection,
  changeSection,
  findPanel,
  newId,
  removeSection,
  replacePanel,
  shiftSection,
  titleOf,
  withPinnedFirst,
} from "./layout";
import { fullName, linesOf, PanelContent } from "./panel-content";
import { PanelDialog } from "./panel-dialog";
import { PanelFrame } from "./panel-frame";
import { saveDraft } from "./saving";
import { changeDraft, drafts, setDraft } from "./view-state";
import "../styles/panels.css";

interface Props extends BoardProps {
  view: View;
  columns: Columns | undefined;
}

/** The panel that the dialog changes; without an id, a new one of a section. */
interface Edited {
  id?: string;
  section?: number;
}

export function Board({ view, columns, tools, ...chartProps }: Props) {
  const draft = drafts.value.get(view.id);
  const layout = (draft ?? view).layout;
  const [edited, setEdited] = useState<Edited>();
  const { pinned, sections } = withPinnedFirst(layout);
  const panels = (shown: Panel[]) =>
    shown.map((panel) => (
      <PanelFrame
        key={panel.id}
        viewId={draft && view.id}
        panel={panel}
        onEdit={() => setEdited({ id: panel.id })}
      >
        <PanelContent panel={panel} {...chartProps} />
      </PanelFrame>
    ));
  const editedPanel = edited?.id === undefined ? undefined : findPanel(layout, edited.id);
  return (
    <div class={draft ? "board editing" : "board"}>
      {pinned.length > 0 && (
        <section class="section" aria-label="Pinned">
          <h2>Pinned</h2>
          <div class="panels">{panels(pinned)}</div>
        </section>
      )}
      {sections.map((section, index) =>
        draft ? (
          <EditedSection
            key={index}
            viewId={view.id}
            section={section}
            index={index}
            count={sections.length}
            hasPinned={section.panels.length < (layout.sections[index]?.panels.length ?? 0)}
            onAdd={() => setEdited({ section: index })}
          >
            {panels(section.panels)}
          </EditedSection>
        ) : (
          <ShownSection key={index} section={section}>
            {panels(section.panels)}
          </ShownSection>
        ),
      )}
      {draft && <EditBar draft={draft} view={view} />}
      <FullPanel layout={layout} tools={tools} {...chartProps} />
      {edited && (
        <PanelDialog
          panel={editedPanel}
          newId={newId(layout)}
          columns={columns}
          onClose={() => setEdited(undefined)}
          onSave={(panel) =>
            changeDraft(view.id, (before) =>
              editedPanel
                ? replacePanel(before, panel)
                : addPanel(before, edited.section ?? 0, panel),
            )
          }
        />
      )}
    </div>
  );
}

function EditBar({ draft, view }: { draft: View; view: View }) {
  const [error, setError] = useState("");
  const save = async () => {
    try {
      await saveDraft(draft);
    } catch (problem) {
      setError(errorText(problem));
    }
  };
  const isOutdated = view.version !== draft.version;
  return (
    <div class="edit-bar" role="group" aria-label="Changes of the view">
      <h2>
        <EditableName
          name={draft.name}
          onRename={async (name) => setDraft(view.id, { ...draft, name })}
        >
          {draft.name}
        </EditableName>
      </h2>
      <button type="button" class="main" onClick={() => void save()}>
        Save view
      </button>
      <button type="button" onClick={() => changeDraft(view.id, addSection)}>
        Add section
      </button>
      <button type="button" onClick={() => setDraft(view.id, undefined)}>
        Discard changes
      </button>
      {isOutdated && (
        <p class="problem" role="status">
          Someone else has changed this view. Copy it to keep your changes, or discard them.
        </p>
      )}
      <ErrorMessage message={error} />
    </div>
  );
}

/** A section whose stored state the address changes for this reader only. */
function ShownSection({ section, children }: { section: Section; children: ComponentChildren }) {
  const { name, panels } = section;
  const isChanged = closedSections.value.includes(name);
  const isOpen = section.is_open !== isChanged;
  const setOpen = (open: boolean) => {
    if (open === isOpen) return;
    const others = closedSections.value.filter((other) => other !== name);
    replaceParameters({ closed: printList(isChanged ? others : [...others, name]) });
  };
  return (
    <details class="section" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {name} <small>{panels.length}</small>
      </summary>
      {isOpen && <div class="panels">{children}</div>}
    </details>
  );
}

interface EditedSectionProps {
  viewId: number;
  section: Section;
  index: number;
  count: number;
  /** Whether some of its panels are pinned, and shown before the sections. */
  hasPinned: boolean;
  onAdd: () => void;
  children: ComponentChildren;
}

function EditedSection(props: EditedSectionProps) {
  const { viewId, section, index, count, hasPinned, onAdd, children } = props;
  const { name, is_open, panels } = section;
  const change = (part: Partial<Section>) =>
    changeDraft(viewId, (layout) => changeSection(layout, index, part));
  const shift = (step: 1 | -1) =>
    changeDraft(viewId, (layout) => shiftSection(layout, index, step));
  const canRemove = panels.length === 0 && !hasPinned;
  return (
    <section class="section" aria-label={name}>
      <header class="section-tools">
        <h2>
          <EditableName name={name} onRename={async (newName) => change({ name: newName })}>
            {name}
          </EditableName>
        </h2>
        <label>
          <input
            type="checkbox"
            checked={is_open}
            onChange={(event) => change({ is_open: event.currentTarget.checked })}
          />
          Open at first
        </label>
        <button type="button" onClick={onAdd}>
          Add panel
        </button>
        <button
          type="button"
          class="quiet"
          aria-label={`Move section ${name} up`}
          disabled={index === 0}
          onClick={() => shift(-1)}
        >
          ↑
        </button>
        <button
          type="button"
          class="quiet"
          aria-label={`Move section ${name} down`}
          disabled={index === count - 1}
          onClick={() => shift(1)}
        >
          ↓
        </button>
        <button
          type="button"
          class="quiet"
          aria-label={`Remove section ${name}`}
          title={canRemove ? "Remove the section" : "Only an empty section can be removed"}
          disabled={!canRemove}
          onClick={() => changeDraft(viewId, (layout) => removeSection(layout, index))}
        >
          ✕
        </button>
      </header>
      <div class="panels" data-section={index}>
        {children}
        {panels.length === 0 && <p class="empty">Drag panels here, or add one.</p>}
      </div>
    </section>
  );
}

/** The chart that fills the screen. */
function FullPanel({ layout, ...chartProps }: BoardProps & Pick<View, "layout">) {
  const panel = layout.sections
    .flatMap((section) => section.panels)
    .find(({ id }) => fullName(id) === fullScreenPath.value);
  if (panel?.kind !== "lines" || chartProps.runIds.length === 0) return null;
  return <FullScreen {...chartProps} path={titleOf(panel)} series={linesOf(panel)} />;
}
