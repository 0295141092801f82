import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // Constants stay `const`: the minifier writes their values where they are used.
    rolldownOptions: { output: { topLevelVar: false } },
  },
  // `npm run dev` uses the API of a running `trackai serve`.
  server: { proxy: { "/api": "http://localhost:8000" } },
});
