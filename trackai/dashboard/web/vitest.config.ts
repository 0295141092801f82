import { defineConfig } from "vitest/config";

export default defineConfig({
  // Threads start faster than processes; each file still has modules of its own.
  test: { include: ["tests/**/*.test.ts"], setupFiles: ["tests/setup.ts"], pool: "threads" },
});
