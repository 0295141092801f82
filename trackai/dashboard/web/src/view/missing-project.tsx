// What all pages of a project that does not exist show.

import { PageError } from "../ui/messages";
import { Link } from "./link";

export const MissingProject = () => (
  <PageError>
    Project not found. It may have been deleted. <Link to={{}}>← Projects</Link>
  </PageError>
);
