// DOM: find and make elements.

export const get = (id) => document.getElementById(id);

// An element with properties and children; texts become text nodes, so nothing is ever parsed as HTML.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}
