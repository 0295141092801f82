// The header of all pages: where the page is, the search, alerts, and the theme.

import { setTheme, THEMES, type Theme, theme } from "../ui/theme";
import { crumbs, projectPage } from "../view/crumbs";
import { Link } from "../view/link";
import { AlertsButton } from "./alerts-button";
import { PALETTE_KEYS } from "./shortcuts";
import { openDialog } from "./state";

export function Header({ isSignedIn }: { isSignedIn: boolean }) {
  return (
    <header class="top">
      <Link class="brand" to={{}}>
        TrackAI
      </Link>
      {isSignedIn && <Breadcrumb />}
      <div class="shell-tools">
        {isSignedIn && <SearchButton />}
        {isSignedIn && <AlertsButton />}
        <ThemeSelect />
        {isSignedIn && (
          <button
            type="button"
            class="icon-button keyboard-only"
            aria-label="Keyboard shortcuts"
            title="Keyboard shortcuts (?)"
            onClick={() => {
              openDialog.value = "shortcuts";
            }}
          >
            ?
          </button>
        )}
      </div>
    </header>
  );
}

function Breadcrumb() {
  const { projectId, project, page } = crumbs.value;
  return (
    <nav class="crumbs" aria-label="Breadcrumb">
      <ol>
        {projectId !== undefined && (
          <li>
            <Link
              to={projectPage(projectId)}
              aria-current={page === undefined ? "page" : undefined}
              title={project}
            >
              {project ?? "…"}
            </Link>
          </li>
        )}
        {page !== undefined && (
          <li>
            <span aria-current="page" title={page}>
              {page}
            </span>
          </li>
        )}
      </ol>
      <button
        type="button"
        class="icon-button"
        aria-label="Switch project"
        title="Switch project (P)"
        onClick={() => {
          openDialog.value = "projects";
        }}
      >
        ▾
      </button>
    </nav>
  );
}

const SearchButton = () => (
  <button
    type="button"
    class="search-button"
    title={`Search everything (${PALETTE_KEYS})`}
    onClick={() => {
      openDialog.value = "palette";
    }}
  >
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <circle cx="6.5" cy="6.5" r="4.5" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path d="M10 10l4.5 4.5" stroke="currentColor" stroke-width="1.6" />
    </svg>
    <span class="search-word">Search</span>
    <span class="keys wide-only" aria-hidden="true">
      {PALETTE_KEYS}
    </span>
  </button>
);

const THEME_NAMES: Record<Theme, string> = { system: "System", light: "Light", dark: "Dark" };

const ThemeSelect = () => (
  <select
    aria-label="Theme"
    title="Theme (T)"
    value={theme.value}
    onChange={(event) => setTheme(event.currentTarget.value as Theme)}
  >
    {THEMES.map((name) => (
      <option key={name} value={name}>
        {THEME_NAMES[name]}
      </option>
    ))}
  </select>
);
