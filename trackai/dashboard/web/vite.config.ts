import { defineConfig, type Plugin } from "vite";

// What all scripts share. The first requests need no more than this.
const BASE =
  /src[\\/](api|ui|view)[\\/](?!markdown-elements)|(runs-query|ticks|scale|shortcuts|state|unread)\.ts$|@?preact/;
// What most pages share.
const CHARTS = /src[\\/]chart[\\/](?!svg|csv)|uPlot\.esm|view-state|bulk-change/;

/** Load the charts while the first script starts the first requests. */
const preloadCharts: Plugin = {
  name: "preload-charts",
  transformIndexHtml: {
    order: "post",
    handler: (_, { bundle, path }) =>
      Object.values(path === "/index.html" ? (bundle ?? {}) : {})
        .filter((output) => output.type === "chunk" && output.name === "charts")
        .map(({ fileName }) => ({
          tag: "link",
          attrs: { rel: "modulepreload", crossorigin: true, href: `/${fileName}` },
          injectTo: "head",
        })),
  },
};

/** Numbers are English everywhere, and the language of a browser may be "C", which Intl refuses. */
const englishCharts: Plugin = {
  name: "english-charts",
  transform: {
    filter: { id: /uPlot\.esm/ },
    handler(code) {
      const english = code.replace(
        "Intl.NumberFormat(domEnv ? nav.language : 'en-US')",
        "Intl.NumberFormat('en')",
      );
      if (english === code)
        this.error("uPlot has changed: it may format in the language of the browser");
      return { code: english, map: null };
    },
  },
};

export default defineConfig({
  base: "/",
  plugins: [preloadCharts, englishCharts],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    // Of the packages in the scripts, which ask for it.
    license: { fileName: "licenses.md" },
    modulePreload: { polyfill: false },
    // The libraries of figures are loaded when one is shown.
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      // The page of the dashboard, and the one in the frame of a figure.
      input: ["index.html", "assets/figure.html"],
      output: {
        // Constants stay `const`: the minifier writes their values where they are used.
        topLevelVar: false,
        // Few scripts in place of many. The frame of a figure, which may not use the storage that
        // the page reads, only loads the first.
        codeSplitting: {
          groups: [
            { name: "loader", test: /preload-helper/, priority: 2 },
            { name: "base", test: BASE, priority: 1 },
            { name: "charts", test: CHARTS },
          ],
        },
      },
    },
  },
  // `npm run dev` uses the API of a running `trackai serve`.
  server: { proxy: { "/api": "http://localhost:8000" } },
});
