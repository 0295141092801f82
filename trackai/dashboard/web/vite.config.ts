import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
  },
  // `npm run dev` beside a running `trackai serve`.
  server: { proxy: { "/api": "http://localhost:8000" } },
});
