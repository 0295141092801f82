// What all pages of a project show if no project has the id in the address: the one of this name.

import { useEffect } from "preact/hooks";
import { usePolled } from "../api/polling";
import { findProject } from "../api/projects";
import { Loading, PageError } from "../ui/messages";
import { params, replaceParameters } from "./address";
import { Link } from "./link";
import { projectId } from "./parameters";

export function MissingProject() {
  const name = params.value.get("project") ?? "";
  const { data: id, error } = usePolled(() => findProject(name), 0, [name]);
  useEffect(() => {
    if (id) replaceParameters({ project: id });
  }, [id]);
  if (error) return <PageError>{error}</PageError>;
  if (id !== null) return <Loading />;
  const project = projectId.value ? "It" : `“${name}”`;
  return (
    <PageError>
      Project not found. {project} may have been renamed or deleted. <Link to={{}}>← Projects</Link>
    </PageError>
  );
}
