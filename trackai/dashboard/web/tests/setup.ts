// The browser's globals that modules read when they are imported.

import { vi } from "vitest";

vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined }));
vi.stubGlobal("location", { search: "", hash: "", pathname: "/" });
vi.stubGlobal("addEventListener", () => undefined);
