"""The endpoints, one module for each noun; `trackai.api.routes` lists their paths."""
