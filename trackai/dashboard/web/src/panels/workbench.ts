// What is loaded once a view is shown or changed.

export { Board } from "./board";
export { ViewDialog } from "./view-dialogs";
